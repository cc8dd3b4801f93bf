// A row for each hashtag of a text: a `#` and the letters, digits and underscores after it.
//
// Reads `text`, answers with `tag`, and carries nothing over. The tags are parts of the text: nothing is copied. The texts of
// all rows lie one after the other, so that a `#` is looked for in all of them at once, 16 bytes at a time.

#include <bit>

#include <wasm_simd128.h>
#include <weir/transform.hpp>

struct post {
    std::optional<std::string_view> text;

    static constexpr std::tuple columns{weir::column("text", &post::text)};
};

struct hashtag {
    std::string_view tag;

    static constexpr std::tuple columns{weir::column("tag", &hashtag::tag, "text")};
};

// Whatever is beyond ASCII is taken for a letter.
static bool is_of_tag(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c & 0x80;
}

// Calls `f` with where each `#` is.
template <class F>
static void for_hashes(std::string_view data, F &&f) {
    constexpr std::size_t width = 16;
    const v128_t hashes = wasm_i8x16_splat('#');
    std::size_t at = 0;
    for (; at + width <= data.size(); at += width) {
        std::uint32_t found = wasm_i8x16_bitmask(wasm_i8x16_eq(wasm_v128_load(data.data() + at), hashes));
        for (; found; found &= found - 1) f(at + static_cast<std::size_t>(std::countr_zero(found)));
    }
    for (; at < data.size(); at++) {
        if (data[at] == '#') f(at);
    }
}

struct hashtags {
    void batch(const weir::rows<post> &rows, weir::emitter<hashtag> &out) const {
        const auto &text = rows.column<0>();
        const auto [offsets, data] = text.values();
        std::uint32_t row = 0;
        for_hashes(data, [&](std::size_t start) {
            while (static_cast<std::size_t>(offsets[row + 1]) <= start) row++;
            auto end_of_row = static_cast<std::size_t>(offsets[row + 1]);
            std::size_t end = start + 1;
            while (end < end_of_row && is_of_tag(data[end])) end++;
            if (end > start + 1 && !text.is_null(row)) out.emit_from(row, {data.substr(start, end - start)});
        });
    }
};

WEIR_TRANSFORM(hashtags, post, hashtag);
