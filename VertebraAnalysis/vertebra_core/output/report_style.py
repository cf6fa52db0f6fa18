"""Colours and style sheet of the report."""

from __future__ import annotations

GRADE_COLORS: dict[int | None, str] = {
    0: "#56b4e9",
    1: "#f0e442",
    2: "#e69f00",
    3: "#e0531f",
    None: "#b8b8b8",
}
"""Told apart with any colour vision (after Okabe and Ito), and always written out beside."""

LESION_COLOR = "#ff8ad8"

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f5f7; color: #1b1f24;
       font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 20px 24px 40px; }
h1 { font-size: 25px; margin: 0 0 2px; }
h2 { font-size: 18px; margin: 30px 0 8px; }
p { margin: 4px 0; }
.quiet { color: #57606a; font-size: 13.5px; }
.research { background: #fff4d6; border-left: 5px solid #b26b00; padding: 8px 14px; margin: 12px 0;
            font-size: 14px; }
.summary { background: #fff; border: 1px solid #d5d9de; border-radius: 6px; padding: 12px 18px;
           margin: 12px 0; font-size: 16px; }
.summary ul { margin: 6px 0 2px; padding-left: 20px; }
.pictures { display: flex; flex-wrap: wrap; gap: 18px; align-items: flex-start; }
figure { margin: 0; max-width: 100%; }
figcaption { font-size: 13px; color: #424a53; margin-top: 4px; }
figcaption b { color: #1b1f24; font-size: 14.5px; }
svg.picture { display: block; background: #000; border-radius: 4px; max-width: 100%; height: auto; }
.zooms { display: flex; flex-wrap: wrap; gap: 16px; }
.table { overflow-x: auto; background: #fff; border: 1px solid #d5d9de; border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
caption { text-align: left; padding: 8px 12px; color: #57606a; font-size: 13px;
          caption-side: bottom; }
th, td { padding: 5px 9px; border-bottom: 1px solid #e4e7eb; text-align: right;
         vertical-align: top; white-space: nowrap; }
tr:last-child td, tr:last-child th { border-bottom: 0; }
thead th { background: #eceff3; font-weight: 600; font-size: 13px; vertical-align: bottom; }
th[scope=row], .text { text-align: left; }
td.notes { white-space: normal; min-width: 230px; text-align: left; font-size: 13px; }
td.notes p { margin: 0 0 3px; }
td small, th small { color: #57606a; font-weight: 400; }
tr.attention { background: #fffaf0; }
.chip { display: inline-block; padding: 1px 8px; border-radius: 10px; font-weight: 600;
        color: #111; border: 1px solid rgba(0, 0, 0, .35); }
.key { display: flex; flex-wrap: wrap; gap: 6px 14px; margin: 8px 0; font-size: 13px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; font-size: 13.5px; }
dt { color: #57606a; } dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { background: #fff; font-size: 13px; } main { max-width: none; padding: 0; }
  .table { overflow: visible; } figure, tr { break-inside: avoid; }
  h2, .key, .quiet { break-after: avoid; }
  .chip, .research, svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
