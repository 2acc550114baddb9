// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace pipeline {

/// Options of one stage. A source of retrieve() is asked for at_most items plus the number of excluded items.
struct StageOptions {
    std::optional<std::size_t> at_most = {};  ///< maximum number of candidates after the stage
};

namespace detail {

template <class P>
inline constexpr bool is_shared_pointer = false;
template <class T>
inline constexpr bool is_shared_pointer<std::shared_ptr<T>> = true;

inline void require_model(bool is_there, const std::string& name) {
    if (!is_there) {
        raise<InvalidArgument>(name +
                               ": the shared pointer must not be empty; it or the funnel may have been moved from");
    }
}

}  // namespace detail

/// A model or callable that a stage runs, with its name in the trace. T is a reference if an lvalue was passed.
template <class T>
struct Named {
    std::string name;
    T work;
    StageOptions options = {};
};

/// Sets the name and the limit of a source, ranker, rule or level: retrieve(named("ease", ease, {.at_most = 300})).
///
/// Ownership of the model, here and in every stage that takes a model:
///
///     named("ease", ease)                  an lvalue is stored by reference; it must outlive the funnel
///     named("ease", EASE::fit(log))        an rvalue is moved into the funnel
///     named("ease", pointer)               a std::shared_ptr<const EASE> is copied; ownership is shared
///
/// Errors    InvalidArgument if a shared pointer is empty
template <class T>
    requires(!detail::is_shared_pointer<std::remove_const_t<T>>)
[[nodiscard]] Named<T&> named(std::string name, T& work FUNNEL_LIFETIMEBOUND, const StageOptions& options = {}) {
    return {std::move(name), work, options};
}

template <class T>
    requires(!std::is_lvalue_reference_v<T> || detail::is_shared_pointer<std::remove_cvref_t<T>>)
[[nodiscard]] Named<std::remove_cvref_t<T>> named(std::string name, T&& work, const StageOptions& options = {}) {
    if constexpr (detail::is_shared_pointer<std::remove_cvref_t<T>>) {
        detail::require_model(work.get() != nullptr, name);
    }
    return {std::move(name), std::forward<T>(work), options};
}

namespace detail {

template <class T>
inline constexpr bool is_named = false;
template <class T>
inline constexpr bool is_named<Named<T>> = true;

// The model or callable of a stage. The funnel is const here, because it serves several threads at once.
template <class T>
[[nodiscard]] auto& work_of(const Named<T>& named) {
    if constexpr (is_shared_pointer<std::remove_cvref_t<T>>) {
        require_model(named.work.get() != nullptr, named.name);
        return *named.work;
    } else {
        return named.work;
    }
}

template <class N>
using WorkOf = std::remove_reference_t<decltype(work_of(std::declval<const N&>()))>;

// Adds a default name to an unnamed argument: its role and its number.
template <class T>
[[nodiscard]] auto with_name(const char* role, std::size_t number, T&& work) {
    if constexpr (is_named<std::remove_cvref_t<T>>) {
        return std::remove_cvref_t<T>(std::forward<T>(work));
    } else {
        return named(std::string(role) + " " + std::to_string(number), std::forward<T>(work));
    }
}

template <class T>
using NamedFor = decltype(with_name("", 0, std::declval<T>()));

}  // namespace detail

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel
