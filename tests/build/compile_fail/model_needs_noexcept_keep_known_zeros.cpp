// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: keep_known_zeros\(const Profile&, std::span<float>\) const noexcept
#include <funnel/cf/model.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace {

using funnel::cf::Profile;

struct Scorer {
    struct Options {};
    static constexpr std::string_view kind = "cf.Toy";
    static constexpr bool needs_history = false;

    [[nodiscard]] std::size_t items() const noexcept { return 0; }
    void score_all(const Profile&, std::span<float>) const noexcept {}
    [[nodiscard]] float score_one(const Profile&, std::uint32_t) const noexcept { return 0.0F; }
#ifdef FUNNEL_EXPECT_FAILURE
    void keep_known_zeros(const Profile&, std::span<float>) const {}
#else
    void keep_known_zeros(const Profile&, std::span<float>) const noexcept {}
#endif

    template <class Log, class Executor>
    static Scorer learn(const Log&, const funnel::CSRMatrix<float>&, const Options&, Executor&) {
        return {};
    }
    template <class Writer>
    void write(Writer&) const {}
    template <class Reader>
    static Scorer read(const Reader&, const funnel::cf::Histories&) {
        return {};
    }
};

}  // namespace

int main() {
    return static_cast<int>(funnel::cf::Model<Scorer>::fit(funnel::data::Interactions()).items());
}
