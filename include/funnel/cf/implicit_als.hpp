// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/als_sweep.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/recommend.hpp>
#include <funnel/core/eigen.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::cf {

/// Matrix factorisation for implicit feedback by alternating least squares: users and items become vectors whose inner
/// product is near 1 where the user took the item, and near 0 elsewhere.
///
///     min over w, h of  sum over observed (u, i) of (1 - w_u . h_i)^2 + alpha0 sum over all (u, i) of (w_u . h_i)^2
///                       + lambda sum over u of (|I_u| + alpha0 |I|)^nu |w_u|^2
///                       + lambda sum over i of (|U_i| + alpha0 |U|)^nu |h_i|^2
///
/// Each iteration solves all items, then all users: so the users' vectors fit the items' vectors that are kept, and
/// fold_in gives a training user's history the training user's vector (up to rounding; for ConjugateGradient, up to its
/// accuracy). Values and repetitions in the log do not matter. Backend is for scoring; learning goes through Eigen.
///
/// Shapes    item_factors(), user_factors(): rows of `factors` floats, to be indexed by inner product
/// Cost      fit: see als_half_sweep, twice an iteration;  recommend: items x factors
/// Source    Rendle, Krichene, Zhang, Koren, "Revisiting the performance of iALS on item recommendation benchmarks",
///           RecSys 2022;  Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class BasicImplicitALS {
public:
    static constexpr bool needs_history = true;

    /// Errors    InvalidArgument if factors is 0, or lambda, alpha0 or stddev is not positive and finite, or nu is not
    /// finite, or an unknown solver, or lambda so small that rounding leaves no solution
    template <Executor E = Serial>
    static BasicImplicitALS fit(const data::Interactions& train, const ImplicitALSOptions& options = {},
                                E&& executor = E{}) {
        const auto is_positive = [](float x) { return math::is_finite(x) && x > 0.0F; };
        require(options.factors > 0, "ImplicitALS: factors must be positive");
        require(is_positive(options.lambda), "ImplicitALS: lambda must be positive and finite");
        require(is_positive(options.alpha0), "ImplicitALS: alpha0 must be positive and finite");
        require(is_positive(options.stddev), "ImplicitALS: stddev must be positive and finite");
        require(math::is_finite(options.nu), "ImplicitALS: nu must be finite");
        require(options.solver == ALSSolver::Cholesky || options.solver == ALSSolver::ConjugateGradient,
                "ImplicitALS: solver must be Cholesky or ConjugateGradient");

        const CSRMatrix<float> user_item = data::user_item_matrix(train);
        const CSRMatrix<float> item_user = user_item.transposed();
        BasicImplicitALS model;
        model.options_ = options;
        model.histories_ = Histories(user_item);
        model.users_ = Matrix<float>(user_item.rows(), options.factors);
        model.items_ = Matrix<float>(user_item.cols(), options.factors);
        draw(model.users_, user_item, options, 0, executor);
        draw(model.items_, item_user, options, user_item.rows(), executor);

        for (std::size_t iteration = 0; iteration < options.iterations; ++iteration) {
            report_progress(executor, "ImplicitALS: iterations", iteration, options.iterations);
            als_half_sweep([&](std::size_t item) { return item_user.row(item).columns; }, model.users_.view(),
                           model.items_.view(), options, executor);
            als_half_sweep([&](std::size_t user) { return user_item.row(user).columns; }, model.items_.view(),
                           model.users_.view(), options, executor);
        }
        report_progress(executor, "ImplicitALS: iterations", options.iterations, options.iterations);
        model.gram_ = als_gram(model.item_factors(), options.alpha0, executor);
        return model;
    }

    [[nodiscard]] std::size_t users() const noexcept { return users_.rows(); }
    [[nodiscard]] std::size_t items() const noexcept { return items_.rows(); }
    [[nodiscard]] MatrixView<const float> user_factors() const noexcept { return users_.view(); }
    [[nodiscard]] MatrixView<const float> item_factors() const noexcept { return items_.view(); }
    [[nodiscard]] const ImplicitALSOptions& options() const noexcept { return options_; }

    /// The best items for a user, best first; nothing for a user without a history.
    ///
    /// Errors    InvalidArgument if there is no such user
    template <ItemFilter Filter = AllItems>
    [[nodiscard]] std::vector<Scored<>> recommend(std::size_t user, const RecommendOptions& options = {},
                                                  const Filter& filter = {}) const {
        return recommend_for(*this, profile(user), options, filter);
    }

    /// The same for a user < users() (not checked), in memory of the caller: see recommend_for.
    template <ItemFilter Filter = AllItems>
    std::span<Scored<>> recommend(std::size_t user, const RecommendOptions& options, std::span<float> scratch,
                                  std::span<Scored<>> out, const Filter& filter = {}) const
        noexcept(filters_quietly<Filter>) {
        return recommend_for(*this, {histories_.of_known(user), std::as_const(users_).row(user)}, options, filter,
                             scratch, out);
    }

    /// One score for each of the given items.
    ///
    /// Errors    InvalidArgument if there is no such user or item
    [[nodiscard]] std::vector<float> score(std::size_t user, std::span<const std::uint32_t> items) const {
        return score_for(*this, profile(user), items);
    }

    /// A user who was not there in training: one row is solved, exactly, against the items as they are.
    ///
    /// Cost      |history| d^2 + d^3 / 3
    /// Errors    InvalidArgument if an item is unknown or named twice
    [[nodiscard]] FoldedUser<BasicImplicitALS> fold_in(std::span<const std::uint32_t> history) const {
        std::vector<std::uint32_t> observed = checked_history(history, items());
        std::vector<float> factors(items_.cols());
        ImplicitALSOptions exact = options_;
        exact.solver = ALSSolver::Cholesky;
        ALSRowSolver<float>(item_factors(), gram_, exact).solve(observed, std::span(factors));
        return {*this, std::move(observed), std::move(factors)};
    }

    void score_all(const Profile& profile, std::span<float> out) const noexcept {
        kernels::score_rows<kernels::InnerProduct, Backend>(profile.factors, items_.view(), out);
    }
    [[nodiscard]] float score_one(const Profile& profile, std::uint32_t item) const noexcept {
        return kernels::dot<Backend>(profile.factors, items_.row(item));
    }

    /// Users and items by their dense ids, not their keys: load it only beside the log that it was fitted on.
    ///
    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file("cf.ImplicitALS", 1);
        histories_.write(file);
        file.value("lambda", options_.lambda);
        file.value("alpha0", options_.alpha0);
        file.value("nu", options_.nu);
        file.matrix("user_factors", user_factors());
        file.matrix("item_factors", item_factors());
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is not what save wrote
    static BasicImplicitALS load(const std::string& path) {
        const io::ContainerReader file(path, "cf.ImplicitALS", 1);
        BasicImplicitALS model;
        model.histories_ = Histories::read(file);
        ImplicitALSOptions& options = model.options_;
        options.lambda = file.value<float>("lambda");
        options.alpha0 = file.value<float>("alpha0");
        options.nu = file.value<float>("nu");
        file.check(math::is_finite(options.lambda) && options.lambda > 0.0F, "lambda", "must be positive and finite");
        file.check(math::is_finite(options.alpha0) && options.alpha0 > 0.0F, "alpha0", "must be positive and finite");
        file.check(math::is_finite(options.nu), "nu", "must be finite");
        model.users_ = file.matrix<float>("user_factors", model.histories_.users());
        model.items_ = file.matrix<float>("item_factors", model.histories_.items(), model.users_.cols());
        options.factors = model.users_.cols();
        file.check(options.factors > 0, "user_factors", "must have columns");
        file.check(is_finite(model.users_), "user_factors", "must be finite");
        file.check(is_finite(model.items_), "item_factors", "must be finite");
        model.gram_ = als_gram(model.item_factors(), options.alpha0);
        return model;
    }

private:
    BasicImplicitALS() = default;

    // Normal numbers, from a stream of its own for each row; rows without observations stay 0.
    template <Executor E>
    static void draw(Matrix<float>& rows, const CSRMatrix<float>& observed, const ImplicitALSOptions& options,
                     std::size_t first_stream, E& executor) {
        const double scale = static_cast<double>(options.stddev) / math::sqrt(static_cast<double>(options.factors));
        parallel_for(executor, rows.rows(), 64, [&](std::size_t row) {
            if (observed.row(row).size() > 0) {
                Random random(options.seed, first_stream + row);
                for (float& x : rows.row(row)) {
                    x = static_cast<float>(scale * random.normal());
                }
            }
        });
    }

    static bool is_finite(const Matrix<float>& matrix) {
        for (std::size_t i = 0; i < matrix.rows(); ++i) {
            const std::span<const float> row = matrix.row(i);
            if (!std::all_of(row.begin(), row.end(), [](float x) { return math::is_finite(x); })) {
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] Profile profile(std::size_t user) const {
        const std::span<const std::uint32_t> history = histories_.of(user);
        return {history, users_.row(user)};
    }

    ImplicitALSOptions options_;
    Histories histories_;
    Matrix<float> users_;
    Matrix<float> items_;
    Eigen::MatrixXf gram_;  // alpha0 H^T H of the items, for fold_in
};

using ImplicitALS = BasicImplicitALS<>;

}  // namespace funnel::cf
