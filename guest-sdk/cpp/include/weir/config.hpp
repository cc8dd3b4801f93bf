// The operator's `config` of the pipeline file: keys that are looked up, and remembered, so that a key that nobody knows is
// told.
#pragma once

#include <algorithm>
#include <vector>

#include "call.hpp"
#include "json.hpp"

namespace weir {

class config {
  public:
    explicit config(std::string_view text) : json_(text) {}

    bool has(std::string_view key) { return get(key).is_there(); }

    // The key's value, for what is no plain value: lists and tables.
    json get(std::string_view key) {
        if (!is_known(key)) known_.push_back(key);
        return json_.member(key);
    }

    // The key's value, or `otherwise` where the key is not there. A value of another type fails the call.
    template <class T>
    T get(std::string_view key, T otherwise) {
        json value = get(key);
        if (!value.is_there()) return otherwise;
        if (auto read = value.as<T>()) return *read;
        fail("the operator's config is not valid: `", key, "` must be ", wanted<T>(), ", but is ", value.text());
        return otherwise;
    }

    // Fails the call if there are keys that nobody has asked for: a key without effect must not go unnoticed.
    void close() const {
        for (const auto &[key, value] : json_.items()) {
            if (is_known(key)) continue;
            if (known_.empty()) return fail("the operator takes no config, but is given `", key, "`");
            std::string known;
            for (auto one : known_) known += text(known.empty() ? "`" : ", `", one, "`");
            return fail("the operator's config has a key `", key, "`, which it does not know; it knows ", known);
        }
    }

  private:
    bool is_known(std::string_view key) const { return std::find(known_.begin(), known_.end(), key) != known_.end(); }

    template <class T>
    static constexpr std::string_view wanted() {
        if constexpr (std::is_same_v<T, bool>) return "true or false";
        else if constexpr (std::is_unsigned_v<T>) return "an integer that is not negative";
        else if constexpr (std::is_integral_v<T>) return "an integer";
        else if constexpr (std::is_same_v<T, double>) return "a number";
        else return "a text";
    }

    json json_;
    std::vector<std::string_view> known_;
};

} // namespace weir
