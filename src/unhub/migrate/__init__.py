"""From a source tree to its migrated twin: walk, find, map, edit, check, write, report."""
