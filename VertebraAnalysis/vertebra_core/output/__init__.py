"""Files that an analysis leaves behind: tables, label maps, markups, report and scene."""
