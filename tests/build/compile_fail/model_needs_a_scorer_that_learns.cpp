// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: LearnedScorer
// expect-clang: no member named 'learn'
#include <funnel/cf/linear_scorer.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/sparse_weights.hpp>

#include <string_view>

namespace {

class Scorer : public funnel::cf::LinearScorer<funnel::cf::SparseWeights> {
public:
    struct Options {};
    static constexpr std::string_view kind = "cf.Toy";

#ifndef FUNNEL_EXPECT_FAILURE
    template <class Log, class Executor>
    static Scorer learn(const Log&, const funnel::CSRMatrix<float>&, const Options&, Executor&) {
        return Scorer(funnel::cf::SparseWeights());
    }
#endif
    template <class Reader>
    static Scorer read(const Reader& file, const funnel::cf::Histories& histories) {
        return Scorer(funnel::cf::SparseWeights::read(file, histories.items()));
    }

    using LinearScorer::LinearScorer;
};

}  // namespace

int main() {
    return static_cast<int>(funnel::cf::Model<Scorer>::fit(funnel::data::Interactions()).items());
}
