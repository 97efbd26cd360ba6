/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replays files (or directories of files) through a fuzz target, for compilers without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
        FILE *f;
        struct stat st;
        uint8_t *data;
        size_t n;

        f = fopen(path, "re");
        if (!f || fstat(fileno(f), &st) < 0) {
                perror(path);
                return 1;
        }
        data = malloc((size_t) st.st_size + 1);
        if (!data)
                return 1;
        n = fread(data, 1, (size_t) st.st_size, f);
        (void) fclose(f);
        (void) LLVMFuzzerTestOneInput(data, n);
        free(data);
        return 0;
}

int main(int argc, char *argv[]) {
        int failed = 0, n_files = 0;

        for (int i = 1; i < argc; i++) {
                DIR *d = opendir(argv[i]);

                if (!d) {
                        failed |= replay(argv[i]);
                        n_files++;
                        continue;
                }
                for (struct dirent *e = readdir(d); e; e = readdir(d)) {
                        char path[4096];

                        if (e->d_name[0] == '.')
                                continue;
                        (void) snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
                        failed |= replay(path);
                        n_files++;
                }
                (void) closedir(d);
        }
        (void) printf("%d inputs replayed\n", n_files);
        return n_files > 0 ? failed : 1;
}
