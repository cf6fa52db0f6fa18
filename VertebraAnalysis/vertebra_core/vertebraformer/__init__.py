"""One transformer encoder, several tasks: segmentation, numbering and lesion localisation."""
