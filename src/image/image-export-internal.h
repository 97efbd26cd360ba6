/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between image-export.c, which opens and closes the file, and those who fill it. */
#pragma once

#include "store/store-ref.h"
#include "store/store-tree.h"
#include "store/tar-write.h"

int export_layers_reader(Store *s, char *const *layers, size_t n, StoreTreeReader **ret, Error *e);
int export_tree(StoreTreeReader *tree, TarWriter *w, Error *e);
int export_layers_aci(Store *s, const char *manifest, char *const *layers, size_t n, TarSink sink,
                      void *userdata, Error *e);
int export_archive(Store *s, const StoreImage *image, bool docker, TarSink sink, void *userdata, Error *e);
