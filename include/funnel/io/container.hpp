// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

/// Our own files, .fnl: one kind of thing a file, as named sections, each with a checksum.

#include <funnel/io/container_reader.hpp>  // IWYU pragma: export
#include <funnel/io/container_writer.hpp>  // IWYU pragma: export
