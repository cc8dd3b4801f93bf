// What is known of the call that is going on. There is one call at a time.
#pragma once

#include <optional>
#include <string>

#include "growing.hpp"

namespace weir {

struct call {
    std::uint64_t batch_time = 0;
    // The row at hand, where rows come one by one.
    std::uint32_t row = 0;
    std::optional<std::string> failure;
    growing<weir_operator_rows_reject_t> rejects;

    // Hands the failure over, if there is one.
    bool has_failed(wit_string_t &into) {
        if (!failure) return false;
        into = handed_over(*failure);
        failure.reset();
        return true;
    }

    // Hands the rejects over, each row once and in order.
    template <class List>
    List take_rejects() {
        auto by_row = [](const auto &a, const auto &b) { return a.row < b.row; };
        if (!std::is_sorted(rejects.begin(), rejects.end(), by_row)) {
            std::stable_sort(rejects.begin(), rejects.end(), by_row);
        }
        std::size_t kept = 0;
        for (auto &reject : rejects) {
            if (kept && rejects[kept - 1].row == reject.row) weir_operator_rows_reject_free(&reject);
            else rejects[kept++] = reject;
        }
        rejects.shorten(kept);
        return rejects.take<List>();
    }
};

inline call current;

// The end of the batch's interval, in milliseconds since the Unix epoch: the only clock.
inline std::uint64_t batch_time() { return current.batch_time; }

// The operator cannot go on with this config or these rows: once the function that was called returns, the job stops and
// shows this text. Of several, the first is shown. A pure function has nothing to retry.
template <class... Parts>
void fail(const Parts &...parts) {
    if (!current.failure) current.failure = text(parts...);
}

// Row `row` of the call cannot be taken; the pipeline says what becomes of it. It is to be in nothing that comes out.
template <class... Parts>
void reject_row(std::uint32_t row, const Parts &...parts) {
    current.rejects.push({row, handed_over(text(parts...))});
}

// The row at hand cannot be taken: `return weir::reject("no such ", name);`.
template <class... Parts>
std::nullopt_t reject(const Parts &...parts) {
    reject_row(current.row, parts...);
    return std::nullopt;
}

} // namespace weir
