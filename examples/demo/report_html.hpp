// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "report_data.hpp"

#include <string>

namespace demo {

/// One HTML file with everything in it: no script, no font, no image from elsewhere.
///
/// Errors    IOError if the file cannot be written
void write_report(const std::string& path, const ReportData& data);

}  // namespace demo
