// In the place of what the libraries do at the end of a program: that would write to a standard error that is not there,
// and bring all of stdio along.

#include <weir/panic.hpp>

#include <cstdarg>

extern "C" {

void abort() {
    weir::write_log(weir::level::error, "aborted");
    __builtin_trap();
}

void __assert_fail(const char *condition, const char *file, int line, const char *) {
    weir::log(weir::level::error, file, ":", line, ": assertion failed: ", condition);
    __builtin_trap();
}

}

// What the standard library calls where it would throw, or sees that it is misused. Whether it is declared as noexcept
// is up to its version.
void std::__libcpp_verbose_abort(const char *format, ...) noexcept(noexcept(std::__libcpp_verbose_abort(""))) {
    std::va_list arguments;
    va_start(arguments, format);
    std::string message;
    for (std::string_view rest = format; !rest.empty();) {
        if (rest.starts_with("%s")) {
            message += va_arg(arguments, const char *);
            rest.remove_prefix(2);
        } else if (rest.starts_with("%d")) {
            weir::append(message, va_arg(arguments, int));
            rest.remove_prefix(2);
        } else {
            message += rest.front();
            rest.remove_prefix(1);
        }
    }
    va_end(arguments);
    while (message.ends_with('\n')) message.pop_back();
    weir::write_log(weir::level::error, message);
    __builtin_trap();
}
