// The intrinsics of x86, without the warnings that GCC 12 gives of its own header: it takes the
// operands there that are undefined on purpose for a mistake. Included by kernel sources only.

#pragma once

#if defined(__SSE2__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif
