"""Why a build failed, and what is wrong on this machine."""
