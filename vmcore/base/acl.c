/*
 * acl(5): a list without named entries is the mode itself; with one it has a mask, which the mode's
 * group bits show and which bounds every entry but the owner's and the others'.
 */
#include "vmcore/base/acl.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { ENTRIES_MAX = 1024 };

struct list {
    struct posix_acl_xattr_header header;
    struct posix_acl_xattr_entry entries[ENTRIES_MAX];
};

struct acl {
    struct list list;
    size_t count;
};

static const char attribute[] = "system.posix_acl_access";

static struct posix_acl_xattr_entry entry(unsigned tag, unsigned perm, uint32_t id)
{
    return (struct posix_acl_xattr_entry){
        .e_tag = htole16((uint16_t)tag), .e_perm = htole16((uint16_t)perm), .e_id = htole32(id)};
}

/* The mode as a list: what is there when nothing is stored. */
static int from_mode(const char *path, struct acl *ret)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno;
    ret->list.entries[0] = entry(ACL_USER_OBJ, st.st_mode >> 6 & 7, (uint32_t)ACL_UNDEFINED_ID);
    ret->list.entries[1] = entry(ACL_GROUP_OBJ, st.st_mode >> 3 & 7, (uint32_t)ACL_UNDEFINED_ID);
    ret->list.entries[2] = entry(ACL_OTHER, st.st_mode & 7, (uint32_t)ACL_UNDEFINED_ID);
    ret->count = 3;
    return 0;
}

static int load(const char *path, struct acl *ret)
{
    ssize_t n = getxattr(path, attribute, &ret->list, sizeof(ret->list));

    if (n < 0)
        return errno == ENODATA ? from_mode(path, ret) : errno;
    if ((size_t)n < sizeof(ret->list.header) ||
        ret->list.header.a_version != htole32(POSIX_ACL_XATTR_VERSION))
        return EINVAL;
    ret->count = ((size_t)n - sizeof(ret->list.header)) / sizeof(ret->list.entries[0]);
    return 0;
}

static int store(const char *path, struct acl *a)
{
    a->list.header.a_version = htole32(POSIX_ACL_XATTR_VERSION);
    return setxattr(path, attribute, &a->list,
                    offsetof(struct list, entries) + a->count * sizeof(a->list.entries[0]), 0) < 0
               ? errno
               : 0;
}

/* Place of the entry; id counts for named ones only. count: there is none. */
static size_t find(const struct acl *a, unsigned tag, uint32_t id)
{
    size_t i = 0;

    while (i < a->count && (le16toh(a->list.entries[i].e_tag) != tag ||
                            (tag == ACL_USER && le32toh(a->list.entries[i].e_id) != id)))
        i++;
    return i;
}

static void remove_at(struct acl *a, size_t i)
{
    a->count--;
    memmove(&a->list.entries[i], &a->list.entries[i + 1],
            (a->count - i) * sizeof(a->list.entries[0]));
}

/* Entries are sorted by tag, named ones by id: the kernel refuses anything else. */
static void insert(struct acl *a, struct posix_acl_xattr_entry e)
{
    size_t i = 0;

    while (i < a->count && (le16toh(a->list.entries[i].e_tag) < le16toh(e.e_tag) ||
                            (a->list.entries[i].e_tag == e.e_tag &&
                             le32toh(a->list.entries[i].e_id) < le32toh(e.e_id))))
        i++;
    memmove(&a->list.entries[i + 1], &a->list.entries[i],
            (a->count - i) * sizeof(a->list.entries[0]));
    a->list.entries[i] = e;
    a->count++;
}

static unsigned perm_of(const struct acl *a, unsigned tag)
{
    size_t i = find(a, tag, 0);

    return i < a->count ? le16toh(a->list.entries[i].e_perm) : 0;
}

int um_acl_grant(const char *path, uid_t uid, bool write)
{
    unsigned perm = write ? ACL_READ | ACL_WRITE : ACL_READ, mask;
    struct acl a;
    size_t at;
    int errnum = load(path, &a);

    if (errnum)
        return errnum;
    if (a.count + 2 > ENTRIES_MAX)
        return ENOSPC;
    at = find(&a, ACL_USER, uid);
    if (at < a.count)
        remove_at(&a, at);
    mask = find(&a, ACL_MASK, 0) < a.count ? perm_of(&a, ACL_MASK) : 8u;
    if (mask == 8u) /* no named entry yet: the group is bounded by its own rights */
        insert(&a, entry(ACL_MASK, perm | perm_of(&a, ACL_GROUP_OBJ), (uint32_t)ACL_UNDEFINED_ID));
    else if ((mask & perm) != perm)
        return EEXIST;
    insert(&a, entry(ACL_USER, perm, uid));
    return store(path, &a);
}

int um_acl_revoke(const char *path, uid_t uid)
{
    struct acl a;
    size_t at;
    int errnum = load(path, &a);

    if (errnum)
        return errnum;
    at = find(&a, ACL_USER, uid);
    if (at == a.count)
        return 0;
    remove_at(&a, at);
    /* Owner, group, mask and others are left: the mask bounds nobody any more. */
    if (a.count == 4 && find(&a, ACL_MASK, 0) < a.count)
        remove_at(&a, find(&a, ACL_MASK, 0));
    return store(path, &a);
}
