// JSON, read where it lies. The host wrote it, so what is no JSON reads as no value, without a word.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "text.hpp"

namespace weir {

class json_items;

// A value, as it is written.
class json {
  public:
    json() = default;
    explicit json(std::string_view text) : text_(text) { skip_space(text_); }

    std::string_view text() const { return text_; }
    bool is_there() const { return !text_.empty(); }
    bool is_object() const { return text_.starts_with('{'); }
    bool is_array() const { return text_.starts_with('['); }
    bool is_null() const { return text_ == "null"; }

    // The value as a bool, an integer, a double or a std::string, if it is one.
    template <class T>
    std::optional<T> as() const {
        if constexpr (std::is_same_v<T, bool>) {
            if (text_ == "true") return true;
            if (text_ == "false") return false;
            return std::nullopt;
        } else if constexpr (std::is_integral_v<T>) {
            T number;
            auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
            bool is_whole = error == std::errc() && end == text_.data() + text_.size();
            return is_whole ? std::optional(number) : std::nullopt;
        } else if constexpr (std::is_same_v<T, double>) {
            bool is_number = is_there() && std::string_view("-0123456789").find(text_.front()) != std::string_view::npos;
            return is_number ? std::optional(std::strtod(std::string(text_).c_str(), nullptr)) : std::nullopt;
        } else {
            static_assert(std::is_same_v<T, std::string>, "a value is a bool, an integer, a double or a std::string");
            return text_.starts_with('"') ? std::optional(unescaped()) : std::nullopt;
        }
    }

    // The member of an object; one that is not there where there is none.
    json member(std::string_view key) const;

    // The items of an array, or the members of an object, for a range-for.
    json_items items() const;

  private:
    friend class json_items;

    static void skip_space(std::string_view &text) {
        text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    }

    // The length of the text at the beginning of `text`, with its quotes.
    static std::size_t text_length(std::string_view text) {
        std::size_t at = 1;
        for (; at < text.size() && text[at] != '"'; at++) {
            if (text[at] == '\\') at++;
        }
        return std::min(at + 1, text.size());
    }

    // The length of the value at the beginning of `text`. Brackets need not be told apart: in JSON they close in order.
    static std::size_t value_length(std::string_view text) {
        std::size_t at = 0, depth = 0;
        while (at < text.size()) {
            char c = text[at];
            if (c == '"') {
                at += text_length(text.substr(at));
                continue;
            }
            if (depth == 0 && (c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n')) return at;
            if (c == '[' || c == '{') depth++;
            if (c == ']' || c == '}') depth--;
            at++;
        }
        return at;
    }

    std::string unescaped() const {
        std::string text;
        std::string_view rest = text_.substr(1, text_.size() - 2);
        while (!rest.empty()) {
            std::size_t plain = std::min(rest.find('\\'), rest.size());
            text += rest.substr(0, plain);
            rest.remove_prefix(plain);
            if (rest.size() > 1) unescape(rest, text);
            else rest = {};
        }
        return text;
    }

    // Takes the escape at the beginning of `rest`.
    static void unescape(std::string_view &rest, std::string &text) {
        constexpr std::string_view names = "bfnrt", characters = "\b\f\n\r\t";
        char name = rest[1];
        if (name == 'u') {
            std::uint32_t code = unit(rest);
            if (code >= 0xD800 && code < 0xDC00 && rest.starts_with("\\u")) {
                code = 0x10000 + ((code - 0xD800) << 10) + (unit(rest) - 0xDC00);
            }
            append_utf8(text, code);
            return;
        }
        std::size_t at = names.find(name);
        text += at == std::string_view::npos ? name : characters[at];
        rest.remove_prefix(2);
    }

    // Takes a \uXXXX.
    static std::uint32_t unit(std::string_view &rest) {
        std::uint32_t code = 0;
        std::string_view digits = rest.substr(2, 4);
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        rest.remove_prefix(std::min<std::size_t>(6, rest.size()));
        return code;
    }

    static void append_utf8(std::string &text, std::uint32_t code) {
        int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        constexpr std::uint8_t first[] = {0, 0xC0, 0xE0, 0xF0};
        text += static_cast<char>(first[more] | code >> 6 * more);
        while (more-- > 0) text += static_cast<char>(0x80 | (code >> 6 * more & 0x3F));
    }

    std::string_view text_;
};

// An item, with its key if it is a member of an object: as it is written, without the quotes.
struct json_item {
    std::string_view key;
    json value;
};

// Goes through the items of an array or an object.
class json_items {
  public:
    explicit json_items(json value) {
        if (!value.is_array() && !value.is_object()) return;
        rest_ = value.text().substr(1);
        next();
    }

    json_items begin() const { return *this; }
    std::nullptr_t end() const { return nullptr; }
    bool operator==(std::nullptr_t) const { return !item_.value.is_there(); }
    const json_item &operator*() const { return item_; }
    json_items &operator++() {
        next();
        return *this;
    }

  private:
    void next() {
        json::skip_space(rest_);
        if (rest_.starts_with(',')) rest_.remove_prefix(1);
        json::skip_space(rest_);
        item_ = {};
        if (rest_.empty() || rest_.front() == ']' || rest_.front() == '}') return;
        if (rest_.front() == '"') {
            std::size_t length = json::text_length(rest_);
            std::string_view behind = rest_.substr(length);
            json::skip_space(behind);
            if (behind.starts_with(':')) {
                item_.key = rest_.substr(1, length - 2);
                behind.remove_prefix(1);
                json::skip_space(behind);
                rest_ = behind;
            }
        }
        std::size_t length = json::value_length(rest_);
        item_.value = json(rest_.substr(0, length));
        rest_.remove_prefix(length);
    }

    std::string_view rest_;
    json_item item_;
};

inline json_items json::items() const { return json_items(*this); }

inline json json::member(std::string_view key) const {
    for (const auto &item : items()) {
        if (is_object() && item.key == key) return item.value;
    }
    return json();
}

} // namespace weir
