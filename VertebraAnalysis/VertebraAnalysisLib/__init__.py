"""The 3D Slicer side of VertebraAnalysis: one class per file, nothing heavy at import."""
