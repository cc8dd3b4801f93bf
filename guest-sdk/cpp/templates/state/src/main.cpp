// A row whenever a sensor has moved away from what it last told.

#include <cmath>

#include <weir/state.hpp>

// What is read of a row. Other columns do not cross into the sandbox.
struct reading {
    double value;

    static constexpr std::tuple columns{weir::column("value", &reading::value)};
};

// What is kept of a key from batch to batch. `version` is raised when it changes.
struct told {
    double value;

    static constexpr std::tuple columns{weir::column("value", &told::value)};
};

// The answer, before which the host puts the key. The first has nothing before it.
struct move {
    std::optional<double> before;
    double now;

    static constexpr std::tuple columns{weir::column("before", &move::before), weir::column("now", &move::now)};
};

class moves {
  public:
    static constexpr std::uint32_t version = 1;

    // Smaller moves are not told.
    explicit moves(weir::config &config) : by(config.get("by", 0.0)) {}

    weir::next<told> update(const weir::none &, const std::optional<told> &previous, weir::group<reading> &rows,
                            weir::turn<move> &turn) const {
        // No reading for the pipeline's `timeout`: the last call.
        if (turn.cause() == weir::cause::idle) return weir::remove;

        std::optional<double> last;
        if (previous) last = previous->value;
        bool has_moved = false;
        for (const auto &row : rows) {
            if (!std::isfinite(row.value)) {
                weir::reject(row.value, " is no measurement");
                continue;
            }
            if (last && std::abs(row.value - *last) <= by) continue;
            turn.emit({last, row.value});
            last = row.value;
            has_moved = true;
        }
        if (!has_moved) return weir::unchanged;
        return weir::keep(told{*last});
    }

  private:
    double by;
};

WEIR_STATE(moves, weir::none, reading, told, move);
