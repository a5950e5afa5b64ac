"""What a command says when it cannot do what was asked."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818  it is no error of the program
    """A command cannot do what was asked; the text is what the person reads."""

    def __init__(self, text: str, status: int = 2) -> None:
        super().__init__(text)
        self.status = status
