/*
 * Root file system images: built by the helper program `build-image`, kept in S/images.
 */
#ifndef UMLD_IMAGES_H
#define UMLD_IMAGES_H

#include "umld/umld.h"

struct images *images_new(struct umld *umld) um_check;
void images_free(struct images *images);
/* Remove what an interrupted build left behind. */
void images_recover(struct umld *umld) um_nonnull(1);

#endif
