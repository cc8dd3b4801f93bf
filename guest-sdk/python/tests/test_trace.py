"""What an exception's trace shows."""

from weir import _trace


def test_a_long_trace_is_cut_in_the_middle():
    def deeper(left: int) -> None:
        if left == 0:
            raise ValueError("the bottom")
        deeper(left - 1)

    try:
        deeper(100)
    except ValueError as error:
        lines = _trace.told(error).splitlines()
    assert sum(line.startswith("  File") for line in lines) == 20
    assert [line for line in lines if "more" in line] == ["  … 82 more"]
    assert lines[-1] == "ValueError: the bottom"
