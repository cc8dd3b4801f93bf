// The lowest and the highest value of a key.

#include <limits>

#include <weir/aggregate.hpp>

// What is read of a row. Other columns, the key's too, do not cross into the sandbox.
struct reading {
    double value;

    static constexpr std::tuple columns{weir::column("value", &reading::value)};
};

// What rows are folded into; here also the answer, before which the host puts the key.
struct range {
    double lowest;
    double highest;

    static constexpr std::tuple columns{weir::column("lowest", &range::lowest), weir::column("highest", &range::highest)};
};

class extremes {
  public:
    // Values above it are rejected.
    explicit extremes(weir::config &config) : limit(config.get("limit", std::numeric_limits<double>::infinity())) {}

    std::optional<range> create(const reading &row) const {
        if (row.value > limit) return weir::reject(row.value, " is above ", limit);
        return range{row.value, row.value};
    }

    void merge(range &total, const range &part) const {
        total.lowest = std::min(total.lowest, part.lowest);
        total.highest = std::max(total.highest, part.highest);
    }

    range finish(const range &total) const { return total; }

  private:
    double limit;
};

WEIR_AGGREGATE(extremes, reading, range, range);
