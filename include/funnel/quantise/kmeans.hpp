// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/distance.hpp>
#include <funnel/kernels/feature_blocks.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/nearest_rows.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/quantise/limit_sizes.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace quantise {

struct KMeansOptions {
    std::size_t clusters = 256;          ///< centroids, 1 to 2^24
    std::size_t iterations = 10;         ///< at most; 0 returns the seeds
    std::uint64_t seed = 0;              ///< draws the training rows and the first centroids
    std::size_t rows_per_cluster = 128;  ///< trains on at most this many rows per cluster, at least 1
    std::optional<double> balance = {};  ///< if set, the largest cluster in training, by the mean; 1 to 2^24
};

namespace detail {

// Centroids in the form in which many rows are compared with them. The distance is expanded,
//     |x - c|^2 = |x|^2 - 2 (<x, c> - |c|^2 / 2),
// after a shift that brings the first centroid to the origin: else rows far from the origin would lose the digits in
// which they differ.
template <kernels::HostBackend Backend>
class CentroidBlocks {
public:
    CentroidBlocks() = default;

    explicit CentroidBlocks(MatrixView<const float> centroids)
        : origin_(centroids.cols()), shifted_(centroids.rows(), centroids.cols()), offsets_(centroids.rows()) {
        if (centroids.rows() > 0) {
            std::copy(centroids.row(0).begin(), centroids.row(0).end(), origin_.begin());
        }
        for (std::size_t c = 0; c < centroids.rows(); ++c) {
            double squares = 0.0;
            for (std::size_t j = 0; j < origin_.size(); ++j) {
                const float x = centroids(c, j) - origin_[j];
                shifted_(c, j) = x;
                squares += static_cast<double>(x) * static_cast<double>(x);
            }
            offsets_[c] = static_cast<float>(squares / 2.0);
        }
    }

    // nearest[i] = the centroid nearest to row i; the smaller one if they are equally near.
    template <Executor E>
    void assign(MatrixView<const float> rows, std::span<std::uint32_t> nearest, E& executor) const {
        const std::size_t d = origin_.size();
        std::vector<std::vector<float>> blocks(executor.concurrency(), std::vector<float>(d * together));
        executor.for_range(rows.rows(), grain, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            std::array<float, together> scores;
            std::array<std::uint32_t, together> found;
            for (std::size_t i = begin; i < end; i += together) {
                const std::size_t count = std::min(together, end - i);
                const std::size_t used = (count + width - 1) / width * width;
                pack(rows, i, count, std::span(blocks[worker]).first(used * d));
                kernels::nearest_rows<Backend>(std::span(blocks[worker]).first(used * d), shifted_, offsets_,
                                               std::span(scores).first(used), std::span(found).first(used));
                std::copy_n(found.begin(), count, nearest.begin() + static_cast<std::ptrdiff_t>(i));
            }
        });
    }

private:
    static constexpr std::size_t width = kernels::feature_block_width<Backend>();
    static constexpr std::size_t together = 2 * width;
    static constexpr std::size_t grain = 8 * together;

    // Packs rows first ... first + count - 1, shifted and transposed; the rest of the last block repeats the last row.
    void pack(MatrixView<const float> rows, std::size_t first, std::size_t count, std::span<float> blocks) const {
        const std::size_t d = origin_.size();
        for (std::size_t i = 0; i < blocks.size() / std::max<std::size_t>(d, 1); ++i) {
            const std::span<const float> row = rows.row(first + std::min(i, count - 1));
            float* const column = blocks.data() + i / width * width * d + i % width;
            for (std::size_t j = 0; j < d; ++j) {
                column[j * width] = row[j] - origin_[j];
            }
        }
    }

    std::vector<float> origin_;
    Matrix<float> shifted_;
    std::vector<float> offsets_;
};

// Draws at most `clusters` of the first `candidates` rows, each with probability proportional to its squared distance
// from those drawn before (k-means++). Fewer if all of these rows are among those drawn.
template <kernels::HostBackend Backend, Executor E>
[[nodiscard]] Matrix<float> draw_seeds(MatrixView<const float> rows, std::size_t clusters, std::uint64_t seed,
                                       E& executor) {
    constexpr std::size_t grain = 512;
    const std::size_t n = rows.rows();
    Matrix<float> seeds(0, rows.cols());
    std::vector<float> distance(n, std::numeric_limits<float>::max());
    std::vector<double> sums((n + grain - 1) / grain);
    Random random(seed, stream("kmeans.seeds"));
    std::size_t drawn = 0;  // the rows are in random order
    while (seeds.rows() < std::min(clusters, n)) {
        seeds.resize_rows(seeds.rows() + 1);
        const std::span<const float> latest = rows.row(drawn);
        std::copy(latest.begin(), latest.end(), seeds.row(seeds.rows() - 1).begin());
        executor.for_range(n, grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            std::array<float, grain> scores;
            kernels::score_rows<kernels::L2, Backend>(latest, rows.rows_from(begin, end - begin), scores);
            double sum = 0.0;
            for (std::size_t i = begin; i < end; ++i) {
                distance[i] = std::min(distance[i], -scores[i - begin]);
                sum += static_cast<double>(distance[i]);
            }
            sums[begin / grain] = sum;
        });
        double left = random.uniform() * std::accumulate(sums.begin(), sums.end(), 0.0);
        std::size_t chunk = 0;
        for (; chunk + 1 < sums.size() && left >= sums[chunk]; ++chunk) {
            left -= sums[chunk];
        }
        // The last row with a positive distance if rounding leaves more than there is.
        bool is_found = false;
        for (std::size_t i = chunk * grain; i < n && !(is_found && left < 0.0); ++i) {
            if (distance[i] > 0.0F) {
                drawn = i;
                is_found = true;
                left -= static_cast<double>(distance[i]);
            }
        }
        if (!is_found) {
            const auto farthest = std::max_element(distance.begin(), distance.end());
            if (*farthest == 0.0F) {
                break;
            }
            drawn = static_cast<std::size_t>(farthest - distance.begin());
        }
    }
    return seeds;
}

// Gives each empty cluster the row that is farthest from its centroid, from a cluster that has another row.
template <kernels::HostBackend Backend, Executor E>
void fill_empty_clusters(MatrixView<const float> rows, MatrixView<const float> centroids,
                         std::span<std::uint32_t> nearest, E& executor) {
    std::vector<std::uint32_t> sizes(centroids.rows());
    for (const std::uint32_t cluster : nearest) {
        ++sizes[cluster];
    }
    if (std::find(sizes.begin(), sizes.end(), 0U) == sizes.end()) {
        return;
    }
    std::vector<float> distance(rows.rows());
    parallel_for(executor, rows.rows(), 512, [&](std::size_t i) {
        distance[i] = kernels::squared_l2<Backend>(rows.row(i), centroids.row(nearest[i]));
    });
    for (std::size_t empty = 0; empty < sizes.size(); ++empty) {
        if (sizes[empty] > 0) {
            continue;
        }
        std::size_t farthest = rows.rows();
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            if (sizes[nearest[i]] > 1 && distance[i] > (farthest < rows.rows() ? distance[farthest] : 0.0F)) {
                farthest = i;
            }
        }
        if (farthest == rows.rows()) {
            return;  // every row is its centroid
        }
        --sizes[nearest[farthest]];
        sizes[empty] = 1;
        nearest[farthest] = static_cast<std::uint32_t>(empty);
        distance[farthest] = 0.0F;
    }
}

// Moves each centroid to the mean of its rows, which are summed in their order, in double.
template <Executor E>
void move_to_means(MatrixView<const float> rows, std::span<const std::uint32_t> nearest, Matrix<float>& centroids,
                   E& executor) {
    std::vector<std::size_t> ends(centroids.rows() + 1);  // first the begin of each cluster, then its end
    for (const std::uint32_t cluster : nearest) {
        ++ends[cluster + 1];
    }
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    std::vector<std::uint32_t> order(rows.rows());
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[ends[nearest[i]]++] = static_cast<std::uint32_t>(i);
    }
    std::vector<std::vector<double>> sums(executor.concurrency(), std::vector<double>(rows.cols()));
    executor.for_range(centroids.rows(), 8, [&](std::size_t first, std::size_t last, std::size_t worker) {
        std::vector<double>& sum = sums[worker];
        for (std::size_t c = first; c < last; ++c) {
            const std::size_t begin = c == 0 ? 0 : ends[c - 1];
            if (begin == ends[c]) {
                continue;
            }
            std::fill(sum.begin(), sum.end(), 0.0);
            for (std::size_t i = begin; i < ends[c]; ++i) {
                const std::span<const float> row = rows.row(order[i]);
                for (std::size_t j = 0; j < row.size(); ++j) {
                    sum[j] += static_cast<double>(row[j]);
                }
            }
            const std::span<float> centroid = centroids.row(c);
            for (std::size_t j = 0; j < sum.size(); ++j) {
                centroid[j] = static_cast<float>(sum[j] / static_cast<double>(ends[c] - begin));
            }
        }
    });
}

}  // namespace detail

/// Clusters rows around centroids (k-means under Euclidean distance).
///
///     auto kmeans = KMeans<>::fit(rows, {.clusters = 256, .seed = 1}, pool);
///     std::vector<std::uint32_t> cluster = kmeans.assign(rows, pool);
///
/// Lloyd's iterations start from k-means++ seeds. The result is bit-identical for any number of threads. A cluster that
/// loses all rows gets the row that is farthest from its centroid.
///
/// Clusters of a bounded size: with the option `balance`, each iteration moves rows out of clusters that are too big.
/// It moves those that lose least by it, so that centroids gather where there are many rows. assign_balanced() does the
/// same for all rows.
///
/// Cost      fit: s k d per iteration, with s = min(n, rows_per_cluster k) rows, and 4 s d bytes;  assign: n k d;
///           memory: 8 k d bytes. A bound adds k d for each row of a cluster that is too big, and k d each time that a
///           row has to move on: at most k times, where copies fill most clusters
/// Source    Arthur & Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007; Lloyd, "Least squares
///           quantization in PCM", IEEE Transactions on Information Theory 1982; Gale & Shapley, "College admissions
///           and the stability of marriage", The American Mathematical Monthly 1962 (the bound)
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class KMeans {
public:
    /// No centroids.
    KMeans() = default;

    /// Given centroids.
    explicit KMeans(Matrix<float> centroids) : centroids_(std::move(centroids)), blocks_(centroids_) {}
    explicit KMeans(MatrixView<const float> centroids) : KMeans(Matrix<float>(centroids)) {}

    /// Learns the centroids.
    ///
    /// Shapes    rows: n x d
    /// Returns   `clusters` centroids, or fewer if rows repeat: seeds are distinct rows, and are drawn from at most 32
    ///           rows per cluster
    /// Errors    InvalidArgument if an option is out of range, there are 2^32 rows or more, or a row is not finite or
    ///           is longer than 2^62
    template <Executor E = Serial>
    [[nodiscard]] static KMeans fit(MatrixView<const float> rows, const KMeansOptions& options = {},
                                    E&& executor = E{}) {
        require_between(options.clusters, 1, std::size_t{1} << 24, "KMeans::fit: clusters");
        require_at_least(options.rows_per_cluster, 1, "KMeans::fit: rows_per_cluster");
        if (options.balance) {
            require_between(*options.balance, 1.0, 0x1p24, "KMeans::fit: balance");
        }
        check(rows, "KMeans::fit");
        if (rows.rows() == 0) {
            return KMeans(Matrix<float>(0, rows.cols()));
        }

        const std::size_t most = math::saturating_multiply(options.clusters, options.rows_per_cluster);
        const Matrix<float> sample = draw_rows(rows, std::min(rows.rows(), most), options.seed);
        constexpr std::size_t seeds_per_cluster = 32;
        const std::size_t candidates = std::min(sample.rows(), seeds_per_cluster * options.clusters);
        Matrix<float> centroids = detail::draw_seeds<Backend>(sample.view().rows_from(0, candidates), options.clusters,
                                                              options.seed, executor);
        std::vector<std::uint32_t> nearest(sample.rows());
        std::vector<std::uint32_t> before;
        for (std::size_t i = 0; i < options.iterations; ++i) {
            report_progress(executor, "KMeans", i, options.iterations);
            detail::CentroidBlocks<Backend>(centroids).assign(sample, nearest, executor);
            if (options.balance) {
                const std::size_t limit = detail::largest_cluster(sample.rows(), centroids.rows(), *options.balance);
                detail::limit_sizes<Backend>(sample, centroids, limit, nearest, executor);
            }
            detail::fill_empty_clusters<Backend>(sample, centroids, nearest, executor);
            if (nearest == before) {
                break;
            }
            detail::move_to_means(sample, nearest, centroids, executor);
            before = nearest;
        }
        return KMeans(std::move(centroids));
    }
    template <Executor E>
    [[nodiscard]] static KMeans fit(MatrixView<const float> rows, E&& executor) {
        return fit(rows, KMeansOptions{}, executor);
    }

    [[nodiscard]] MatrixView<const float> centroids() const& noexcept FUNNEL_LIFETIMEBOUND { return centroids_; }

    /// The nearest centroid of each row.
    ///
    /// Shapes    rows: n x d
    /// Returns   n positions of centroids; ties go to the smaller one. Distances are rounded: a row that lies between
    ///           two centroids may be assigned to either, but always to the same
    /// Errors    InvalidArgument if there are no centroids, the dimension differs, or a row is not finite or too long
    template <Executor E = Serial>
    [[nodiscard]] std::vector<std::uint32_t> assign(MatrixView<const float> rows, E&& executor = E{}) const {
        require(centroids_.rows() > 0, "KMeans::assign: there must be centroids");
        require_equal(rows.cols(), centroids_.cols(), "KMeans::assign: number of columns");
        check(rows, "KMeans::assign");
        std::vector<std::uint32_t> nearest(rows.rows());
        blocks_.assign(rows, nearest, executor);
        return nearest;
    }

    /// A near centroid of each row, so that no cluster has more than ceil(balance n / k) rows.
    ///
    /// Rows of clusters that would have more go to the next centroid, first those that lose least by it.
    ///
    /// Shapes    rows: n x d;  balance: 1 to 2^24
    /// Returns   n positions of centroids, the same for any number of threads. Copies of a row may differ in theirs
    /// Errors    as assign; InvalidArgument if balance is out of range
    template <Executor E = Serial>
    [[nodiscard]] std::vector<std::uint32_t> assign_balanced(MatrixView<const float> rows, double balance,
                                                             E&& executor = E{}) const {
        require_between(balance, 1.0, 0x1p24, "KMeans::assign_balanced: balance");
        std::vector<std::uint32_t> nearest = assign(rows, executor);
        detail::limit_sizes<Backend>(rows, centroids_, detail::largest_cluster(rows.rows(), centroids_.rows(), balance),
                                     nearest, executor);
        return nearest;
    }

private:
    static void check(MatrixView<const float> rows, const char* function) {
        if (rows.rows() >= std::size_t{1} << 32) {
            raise<InvalidArgument>(std::string(function) + ": number of rows must be below 2^32");
        }
        for (std::size_t i = 0; rows.cols() > 0 && i < rows.rows(); ++i) {
            double squares = 0.0;
            for (const float x : rows.row(i)) {
                squares += static_cast<double>(x) * static_cast<double>(x);
            }
            if (!math::is_finite(squares) || squares > 0x1p124) {
                raise<InvalidArgument>(std::string(function) + ": row " + std::to_string(i) +
                                       (math::is_finite(squares) ? " is too long: its length must be at most 2^62"
                                                                 : " holds a NaN or an infinity"));
            }
        }
    }

    // `count` rows in random order.
    [[nodiscard]] static Matrix<float> draw_rows(MatrixView<const float> rows, std::size_t count, std::uint64_t seed) {
        const auto order = Random(seed, stream("kmeans.rows")).permutation<std::uint32_t>(rows.rows());
        Matrix<float> drawn(count, rows.cols());
        for (std::size_t i = 0; i < count; ++i) {
            const std::span<const float> row = rows.row(order[i]);
            std::copy(row.begin(), row.end(), drawn.row(i).begin());
        }
        return drawn;
    }

    Matrix<float> centroids_;
    detail::CentroidBlocks<Backend> blocks_;  // so that assign costs little for one row, too
};

}  // namespace quantise
}  // namespace FUNNEL_ABI
}  // namespace funnel
