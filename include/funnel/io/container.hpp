// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

/// The library's own file format, .fnl: one object per file, stored as named sections with a checksum each.

#include <funnel/io/container_reader.hpp>  // IWYU pragma: export
#include <funnel/io/container_writer.hpp>  // IWYU pragma: export
