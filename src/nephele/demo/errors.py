"""What can go wrong in a demo."""

from nephele.kernel.errors import Error

CLOUD_FAILED = Error("demo.cloud_failed", 503, "The cloud did not start: {log}")
NO_LAUNCH = Error("demo.no_launch", 500, "The server is {status} instead of ACTIVE: {fault}")
NO_LOGIN = Error("demo.no_login", 504, "The guest let nobody in by ssh within {seconds} s: {answer}")
WRONG_ANSWER = Error("demo.wrong_answer", 500, "The guest says {what} is {got!r}; it should be {wanted!r}.")
COMMAND_FAILED = Error("demo.command_failed", 500, "{command} failed: {output}")
