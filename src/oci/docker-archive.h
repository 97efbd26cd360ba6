/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manifest.json of "docker save": which files of the archive are which image. */
#pragma once

#include "basic/alloc.h"
#include "basic/error.h"
#include "basic/json.h"

#define DOCKER_ARCHIVE_IMAGES_MAX 1024U

typedef struct DockerArchiveImage {
        char *config;     /* path in the archive: relative, without ".." */
        char **repo_tags; /* "redis:7"; may be empty */
        char **layers;    /* paths in the archive, lowest first */
} DockerArchiveImage;

typedef struct DockerArchive {
        DockerArchiveImage *images;
        size_t n_images;
} DockerArchive;

int docker_archive_parse(const char *data, size_t size, DockerArchive **ret, Error *e);
DockerArchive *docker_archive_free(DockerArchive *a);
DEFINE_CLEANUP(DockerArchive *, docker_archive_free);
int docker_archive_choose(const DockerArchive *a, const char *reference, const DockerArchiveImage **ret,
                          Error *e);
