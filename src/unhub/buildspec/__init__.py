"""A buildspec run on this machine, as AWS CodeBuild runs it: read strictly, phase after phase, in one shell.

Source of what CodeBuild does: its user guide, "Build specification reference" and "Build phase transitions"
(codebuild-and-iam.md, 1); where those are silent, the docstrings say "unverified".
"""
