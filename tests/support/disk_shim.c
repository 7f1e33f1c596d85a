/* A disk that fails, or loses power: preloaded into a process, it watches what that does to the files below one folder.

   TPO_DISK_ROOT     the folder
   TPO_DISK_CONTROL  a file of 64-bit integers, shared with the test: which operation fails, when, and how (see disk.py)
   TPO_DISK_DURABLE  a folder that gets what fsync has put on disk, and nothing else; without it none is kept */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { NONE, OPEN, WRITE, FSYNC, KINDS };
enum { ARMED, COUNTDOWN, ERROR, STAYS, SEEN, FIRED = SEEN + KINDS, SIZE };
#define FDS 65536
#define SYNC_US 20000

struct change { off_t at; ssize_t size; struct change *next; char data[]; }; /* size -1: cut at `at` */
struct file { char path[PATH_MAX]; struct change *first, **last; struct file *next; };

static volatile int64_t *control;
static char root[PATH_MAX], durable[PATH_MAX];
static size_t root_size;
static struct file *files, *by_fd[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) static type (*real_##name)(__VA_ARGS__)
REAL(int, open64, const char *, int, ...);
REAL(int, openat64, int, const char *, int, ...);
REAL(int, close, int);
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
REAL(int, fsync, int);
REAL(int, fdatasync, int);
REAL(int, ftruncate64, int, off64_t);
REAL(int, unlink, const char *);
REAL(int, rename, const char *, const char *);
REAL(int, link, const char *, const char *);

/* Other libraries' constructors may call in before ours: each entry looks first. */
static void bind_symbols(void) {
    if (real_link != NULL)
        return;
    real_open64 = dlsym(RTLD_NEXT, "open64");
    real_openat64 = dlsym(RTLD_NEXT, "openat64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate64 = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_link = dlsym(RTLD_NEXT, "link");
}

__attribute__((constructor)) static void begin(void) {
    bind_symbols();
    const char *where = getenv("TPO_DISK_ROOT"), *told = getenv("TPO_DISK_CONTROL"), *kept = getenv("TPO_DISK_DURABLE");
    if (where == NULL || told == NULL || realpath(where, root) == NULL)
        return;
    root_size = strlen(root);
    if (kept != NULL && realpath(kept, durable) == NULL)
        durable[0] = 0;
    int fd = real_open64(told, O_RDWR);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, SIZE * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    real_close(fd);
    if (mapped != MAP_FAILED)
        control = mapped;
}

/* Whether a path is below the folder; `found` gets it in full. */
static int ours(const char *path, char *found) {
    char folder[PATH_MAX];
    if (control == NULL || path == NULL)
        return 0;
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    const char *name = slash == NULL ? path : path + (slash - folder) + 1;
    if (slash == NULL)
        strcpy(folder, ".");
    else if (slash == folder)
        folder[1] = 0;
    else
        *slash = 0;
    char real[PATH_MAX];
    if (realpath(folder, real) == NULL || snprintf(found, PATH_MAX, "%s/%s", real, name) >= PATH_MAX)
        return 0;
    return strncmp(found, root, root_size) == 0 && found[root_size] == '/';
}

/* Whether this operation is the one that is to fail: errno is set then. */
static int fails(int kind) {
    int64_t error = 0;
    pthread_mutex_lock(&lock);
    control[SEEN + kind]++;
    if (control[ARMED] == kind && --control[COUNTDOWN] <= 0) {
        error = control[ERROR];
        control[FIRED]++;
        if (!control[STAYS])
            control[ARMED] = NONE;
    }
    pthread_mutex_unlock(&lock);
    if (error)
        errno = (int)error;
    return error != 0;
}

static void in_durable(const char *path, char *found) { snprintf(found, PATH_MAX, "%s%s", durable, path + root_size); }

static struct file *known(const char *path) {
    struct file *file = files;
    while (file != NULL && strcmp(file->path, path) != 0)
        file = file->next;
    return file;
}

static struct file *file_of(const char *path) {
    struct file *found = known(path);
    if (found != NULL)
        return found;
    struct file *made = calloc(1, sizeof *made);
    snprintf(made->path, PATH_MAX, "%s", path);
    made->last = &made->first;
    made->next = files;
    return files = made;
}

static void forget(struct file *file) {
    while (file->first != NULL) {
        struct change *gone = file->first;
        file->first = gone->next;
        free(gone);
    }
    file->last = &file->first;
}

/* What was there before this process opened it is on disk already. */
static void copy_whole(const char *path) {
    char kept[PATH_MAX], block[65536];
    struct stat state;
    in_durable(path, kept);
    if (stat(kept, &state) == 0 || stat(path, &state) != 0 || !S_ISREG(state.st_mode))
        return;
    int from = real_open64(path, O_RDONLY | O_CLOEXEC), to = real_open64(kept, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (ssize_t size; from >= 0 && to >= 0 && (size = read(from, block, sizeof block)) > 0;)
        if (real_write(to, block, (size_t)size) != size)
            abort();
    if (from >= 0)
        real_close(from);
    if (to >= 0)
        real_close(to);
}

static void note(int fd, off_t at, const void *data, ssize_t size) {
    if (!durable[0] || fd < 0 || fd >= FDS || by_fd[fd] == NULL)
        return;
    struct change *made = malloc(sizeof *made + (size > 0 ? (size_t)size : 0));
    made->at = at, made->size = size, made->next = NULL;
    if (size > 0)
        memcpy(made->data, data, (size_t)size);
    pthread_mutex_lock(&lock);
    *by_fd[fd]->last = made;
    by_fd[fd]->last = &made->next;
    pthread_mutex_unlock(&lock);
}

static void synced(int fd) {
    char kept[PATH_MAX];
    if (!durable[0] || fd < 0 || fd >= FDS || by_fd[fd] == NULL)
        return;
    pthread_mutex_lock(&lock);
    struct file *file = by_fd[fd];
    in_durable(file->path, kept);
    int to = real_open64(kept, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (struct change *each = file->first; to >= 0 && each != NULL; each = each->next) {
        if (each->size < 0 ? real_ftruncate64(to, each->at) != 0
                           : real_pwrite64(to, each->data, (size_t)each->size, each->at) != each->size)
            abort();
    }
    if (to >= 0)
        real_close(to);
    forget(file);
    pthread_mutex_unlock(&lock);
}

static int opened(const char *path, int flags, mode_t mode, int folder, int at) {
    char found[PATH_MAX];
    bind_symbols();
    int mine = ours(path, found);
    if (mine && fails(OPEN))
        return -1;
    if (mine && durable[0] && known(found) == NULL)
        copy_whole(found);
    int fd = at ? real_openat64(folder, path, flags, mode) : real_open64(path, flags, mode);
    if (fd >= 0 && fd < FDS) {
        pthread_mutex_lock(&lock);
        by_fd[fd] = mine && (flags & O_ACCMODE) != O_RDONLY ? file_of(found) : NULL;
        pthread_mutex_unlock(&lock);
        if (flags & O_TRUNC)
            note(fd, 0, NULL, -1);
    }
    return fd;
}

#define MODE mode_t mode = 0; va_list rest; va_start(rest, flags); if (flags & (O_CREAT | __O_TMPFILE)) mode = va_arg(rest, mode_t); va_end(rest)
int open(const char *path, int flags, ...) { MODE; return opened(path, flags, mode, 0, 0); }
int open64(const char *path, int flags, ...) { MODE; return opened(path, flags, mode, 0, 0); }
int openat(int folder, const char *path, int flags, ...) { MODE; return opened(path, flags, mode, folder, 1); }
int openat64(int folder, const char *path, int flags, ...) { MODE; return opened(path, flags, mode, folder, 1); }
int __open_2(const char *path, int flags) { return opened(path, flags, 0, 0, 0); }
int __open64_2(const char *path, int flags) { return opened(path, flags, 0, 0, 0); }

int close(int fd) {
    bind_symbols();
    if (fd >= 0 && fd < FDS)
        by_fd[fd] = NULL; /* what was written stays not yet on disk */
    return real_close(fd);
}

static int watched(int fd) { return control != NULL && fd >= 0 && fd < FDS && by_fd[fd] != NULL; }

ssize_t write(int fd, const void *data, size_t size) {
    bind_symbols();
    if (!watched(fd))
        return real_write(fd, data, size);
    if (fails(WRITE))
        return -1;
    off_t at = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    ssize_t done = real_write(fd, data, size);
    if (done > 0)
        note(fd, at, data, done);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    bind_symbols();
    if (!watched(fd))
        return real_pwrite64(fd, data, size, at);
    if (fails(WRITE))
        return -1;
    ssize_t done = real_pwrite64(fd, data, size, at);
    if (done > 0)
        note(fd, at, data, done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

int ftruncate64(int fd, off64_t size) {
    bind_symbols();
    int done = real_ftruncate64(fd, size);
    if (done == 0 && watched(fd))
        note(fd, size, NULL, -1);
    return done;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* A sync that fails takes its octets with it: Linux counts them as written then, and no further sync writes them. */
static void lost(int fd) {
    pthread_mutex_lock(&lock);
    if (durable[0] && by_fd[fd] != NULL)
        forget(by_fd[fd]);
    pthread_mutex_unlock(&lock);
}

static int sync_it(int fd, int (*real)(int)) {
    if (!watched(fd))
        return real(fd);
    if (fails(FSYNC)) {
        lost(fd);
        return -1;
    }
    if (durable[0])
        usleep(SYNC_US); /* so long as a disk takes: what is answered meanwhile is answered too early */
    int done = durable[0] ? 0 : real(fd); /* nothing here survives a real power cut: only what is kept below counts */
    if (done == 0)
        synced(fd);
    return done;
}
int fsync(int fd) { bind_symbols(); return sync_it(fd, real_fsync); }
int fdatasync(int fd) { bind_symbols(); return sync_it(fd, real_fdatasync); }

int unlink(const char *path) {
    bind_symbols();
    char found[PATH_MAX], kept[PATH_MAX];
    int mine = ours(path, found), done = real_unlink(path);
    if (done == 0 && mine && durable[0]) {
        pthread_mutex_lock(&lock);
        forget(file_of(found));
        pthread_mutex_unlock(&lock);
        in_durable(found, kept);
        real_unlink(kept);
    }
    return done;
}

static int moved(const char *from, const char *to, int (*real)(const char *, const char *)) {
    char found[PATH_MAX], other[PATH_MAX], kept[PATH_MAX], there[PATH_MAX];
    int mine = ours(from, found) && ours(to, other), done = real(from, to);
    if (done == 0 && mine && durable[0]) {
        in_durable(found, kept);
        in_durable(other, there);
        real(kept, there);
    }
    return done;
}
int rename(const char *from, const char *to) { bind_symbols(); return moved(from, to, real_rename); }
int link(const char *from, const char *to) { bind_symbols(); return moved(from, to, real_link); }
