// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/dense_weights.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/linear_scorer.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/core/eigen.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/linalg/spd_inverse.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct EASEOptions {
    /// L2 penalty on the weights, > 0. Increase it when items have few interactions; if too small, the Gram matrix is
    /// not invertible.
    float lambda = 200.0F;
};

/// The learned part of EASE: a dense matrix of item-to-item weights.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class EASEScorer : public LinearScorer<DenseWeights<Backend>> {
public:
    using Options = EASEOptions;
    static constexpr std::string_view kind = "cf.EASE";

    template <data::InteractionLog Log, Executor E>
    static EASEScorer learn(const Log&, const CSRMatrix<float>& user_item, const EASEOptions& options, E& executor) {
        require_positive(options.lambda, "EASE: lambda");
        const std::size_t items = user_item.cols();
        require_memory(items);
        const CSRMatrix<float> item_user = user_item.transposed();

        report_progress(executor, "EASE: count", 0, items);
        Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(eigen_index(items), eigen_index(items));
        executor.for_range(items, 16, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t item = begin; item < end; ++item) {
                double* column = gram.data() + item * items;
                for (const std::uint32_t user : item_user.row(item).columns) {
                    for (const std::uint32_t other : user_item.row(user).columns) {
                        column[other] += 1.0;
                    }
                }
                column[item] += static_cast<double>(options.lambda);
            }
        });
        require(linalg::invert_spd(gram, executor),
                "EASE: lambda is too small: the Gram matrix of this log is not invertible");

        const Eigen::VectorXd diagonal = gram.diagonal();
        std::vector<float> weights(items * items);
        executor.for_range(items, 16, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t from = begin; from < end; ++from) {
                const double* inverse = gram.data() + from * items;  // symmetric: a column is a row
                for (std::size_t to = 0; to < items; ++to) {
                    weights[from * items + to] =
                        from == to ? 0.0F : static_cast<float>(-inverse[to] / diagonal(eigen_index(to)));
                }
            }
        });
        require(math::all_finite(weights), "EASE: lambda is too small: the weights for this log are not finite");
        return EASEScorer(DenseWeights<Backend>(std::move(weights), items));
    }

    template <class Reader>
    static EASEScorer read(const Reader& file, const Histories& histories) {
        return EASEScorer(DenseWeights<Backend>::read(file, histories.items()));
    }

private:
    using LinearScorer<DenseWeights<Backend>>::LinearScorer;

    // With memory overcommit, allocating too much does not throw std::bad_alloc. The process is killed later instead.
    static void require_memory(std::size_t items) {
        constexpr std::size_t bytes_per_weight = sizeof(double) + sizeof(float);  // while learning
        const std::size_t needed = math::saturating_multiply(bytes_per_weight, math::saturating_multiply(items, items));
        std::size_t available = std::numeric_limits<std::size_t>::max();
        const long pages = ::sysconf(_SC_PHYS_PAGES);
        const long page_size = ::sysconf(_SC_PAGESIZE);
        if (pages > 0 && page_size > 0) {
            available = math::saturating_multiply(static_cast<std::size_t>(pages), static_cast<std::size_t>(page_size));
        }
        rlimit limit{};
        if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
            available = std::min(available, std::size_t{limit.rlim_cur});
        }
        if (needed > available) {
            constexpr std::size_t megabyte = 1'000'000;
            raise<InvalidArgument>(
                "EASE: " + std::to_string(items) + " items need " + std::to_string(needed / megabyte) +
                " MB of memory, but this machine or process has " + std::to_string(available / megabyte) + " MB");
        }
    }
};

/// Embarrassingly shallow autoencoder: a linear item-to-item model that reconstructs each user's history, where no item
/// predicts itself. The solution has a closed form; lambda is the only hyper-parameter. Write EASE; BasicEASE is for
/// another backend.
///
///     min over B, diag(B) = 0, of |X - X B|^2 + lambda |B|^2:   P = (X^T X + lambda I)^-1,  B = I - P diag(1 / P_jj)
///     score(u, i) = sum over items j of u's history of B(j, i)
///
/// X is a users x items matrix, 1 where the user likes the item (a value > 0), else 0: other than that, values and
/// repetitions in the log are ignored. Suitable for up to about ten thousand items. Backend is used for scoring;
/// learning uses Eigen, in double.
///
/// Cost      fit: n^3 floating-point operations for n items, 12 n^2 bytes at the peak;  the model: 4 n^2 bytes
/// Errors    InvalidArgument if an option is out of range, or if 12 n^2 bytes exceed the memory of this machine or the
///           address-space limit of the process
/// Source    Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicEASE = Model<EASEScorer<Backend>>;

using EASE = BasicEASE<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
