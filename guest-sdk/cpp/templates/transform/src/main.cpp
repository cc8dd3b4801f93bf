// A row for each `@mention` in a text, beside the user who wrote it.

#include <weir/transform.hpp>

// What is read of a row. Other columns do not cross into the sandbox.
struct post {
    std::string_view text;

    static constexpr std::tuple columns{weir::column("text", &post::text)};
};

// The columns that are added to those kept. A mention is a part of `text`, and not copied.
struct mention {
    std::string_view name;

    static constexpr std::tuple columns{weir::column("mention", &mention::name, "text")};
};

class mentions {
  public:
    static constexpr std::string_view keep[] = {"user"};

    // Shorter names are passed over.
    explicit mentions(weir::config &config) : shortest(std::max(config.get<std::size_t>("shortest", 1), std::size_t{1})) {}

    void row(const post &post, weir::emitter<mention> &out) const {
        std::string_view rest = post.text;
        while (!rest.empty()) {
            auto end = std::find_if_not(rest.begin(), rest.end(), is_of_word);
            auto length = static_cast<std::size_t>(end - rest.begin());
            std::string_view word = rest.substr(0, length);
            if (word.starts_with('@') && word.size() > shortest) out.emit({word.substr(1)});
            rest.remove_prefix(std::max(length, std::size_t{1}));
        }
    }

  private:
    static bool is_of_word(unsigned char c) { return std::isalnum(c) || c == '_' || c == '@' || c >= 0x80; }

    std::size_t shortest;
};

WEIR_TRANSFORM(mentions, post, mention);
