# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the host suite, the demo and the benchmarks run: images, keys, and a server for them."""
