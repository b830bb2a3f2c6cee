"""The version, from the installed distribution."""

from importlib import metadata

try:
    VERSION = metadata.version("tongping")
except metadata.PackageNotFoundError:  # run from a source tree that was never installed
    VERSION = "0+unknown"
