/* While the file that FULL_WHEN names is there, no file grows: such a write fails with ENOSPC.
   What lies within a file's length is overwritten as ever, as on a real disk. Loaded into a server
   with LD_PRELOAD. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_full(int fd, off_t end) {
  const char *flag = getenv("FULL_WHEN");
  struct stat file;
  /* Standard error is the log, which a test wants to read. */
  return fd > 2 && flag && access(flag, F_OK) == 0 && fstat(fd, &file) == 0 &&
         S_ISREG(file.st_mode) && end > file.st_size;
}

static off_t size(const struct iovec *parts, int count) {
  off_t size = 0;
  for (int n = 0; n < count; n++) size += parts[n].iov_len;
  return size;
}

/* Calls the C library's own, unless the disk is full. */
#define WRAP(result, full, name, parameters, arguments, end)               \
  result name parameters {                                                 \
    static result(*real) parameters;                                       \
    int before = errno;                                                    \
    if (is_full(fd, end)) return full;                                     \
    errno = before;                                                        \
    if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name);       \
    return real arguments;                                                 \
  }

#define FAIL (errno = ENOSPC, -1)

WRAP(ssize_t, FAIL, write, (int fd, const void *from, size_t n), (fd, from, n),
     lseek(fd, 0, SEEK_CUR) + (off_t)n)
WRAP(ssize_t, FAIL, pwrite, (int fd, const void *from, size_t n, off_t at), (fd, from, n, at),
     at + (off_t)n)
WRAP(ssize_t, FAIL, pwrite64, (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at),
     at + (off_t)n)
WRAP(ssize_t, FAIL, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n),
     lseek(fd, 0, SEEK_CUR) + size(parts, n))
WRAP(ssize_t, FAIL, pwritev, (int fd, const struct iovec *parts, int n, off_t at),
     (fd, parts, n, at), at + size(parts, n))
WRAP(ssize_t, FAIL, pwritev64, (int fd, const struct iovec *parts, int n, off64_t at),
     (fd, parts, n, at), at + size(parts, n))
/* These return the error itself. */
WRAP(int, ENOSPC, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n), at + n)
WRAP(int, ENOSPC, posix_fallocate64, (int fd, off64_t at, off64_t n), (fd, at, n), at + n)
