"""Says what pyproject.toml cannot: the library inside is a machine's, and any Python's."""

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel


class WithLibrary(Distribution):
    """A package that goes where compiled ones go."""

    def has_ext_modules(self) -> bool:
        return True


class ForAnyPython(bdist_wheel):
    """A wheel for one kind of machine: it is loaded with ctypes, so no Python's ABI counts."""

    def get_tag(self) -> "tuple[str, str, str]":
        return "py3", "none", super().get_tag()[2]


setup(distclass=WithLibrary, cmdclass={"bdist_wheel": ForAnyPython})
