#pragma once

#include <stddef.h>
#include <stdint.h>

/* libraft and libuv as the host needs them, for C++: the header of libraft 0.22.1 does not compile as C++. One mesh_raft is
 * one run of the log, from opening its directory to its end. Every call is made on raft's thread (the one that opened it)
 * and every hook is called there, but for mesh_raft_wake(). */
#ifdef __cplusplus
extern "C" {
#endif

enum { MESH_RAFT_MAX_MEMBERS = 16, MESH_RAFT_ERROR_BYTES = 512 };

enum mesh_raft_code {
    MESH_RAFT_OK = 0,
    MESH_RAFT_NOT_LEADER,  /* not in the log */
    MESH_RAFT_FULL,        /* a majority has no room for the log; not in the log */
    MESH_RAFT_BUSY,        /* another change of the membership is under way */
    MESH_RAFT_REFUSED,     /* no such member, or it has the role already */
    MESH_RAFT_TOO_SLOW,    /* the member did not catch up */
    MESH_RAFT_LOST,        /* outcome unknown: leadership or log were lost before the end */
    MESH_RAFT_NO_SPACE,    /* cannot start: the disk is full */
    MESH_RAFT_CORRUPT,     /* cannot start: the log is damaged */
    MESH_RAFT_UNUSABLE,    /* cannot start: the directory or its file system will not do */
    MESH_RAFT_IO,          /* the disk failed */
    MESH_RAFT_STOPPED,     /* a hook refused an entry or a snapshot */
    MESH_RAFT_ABANDONED    /* closing did not end; the directory may still be written to */
};

enum mesh_raft_role { MESH_RAFT_FOLLOWER, MESH_RAFT_CANDIDATE, MESH_RAFT_LEADER };

struct mesh_raft_member {
    uint64_t id;
    const char *name; /* unique among the members */
    int voter;
    uint64_t match; /* on a leader: how much of the log it is known to have */
};

struct mesh_raft_settings {
    const char *directory; /* must exist */
    uint64_t self;
    const char *name;
    const struct mesh_raft_member *bootstrap; /* used when the directory is pristine */
    unsigned bootstrap_count;                 /* 0: joins */
    unsigned election_ms, heartbeat_ms;
    unsigned snapshot_threshold, snapshot_trailing; /* entries */
    size_t segment_bytes;
    unsigned short capacity_kib; /* reserved room below which nothing is appended */
    unsigned max_inflight;       /* entries under way to one member, all in one message at worst */
    size_t write_queue_bytes;    /* waiting to be read by raft, from one member */
    unsigned close_ms;           /* for closing; then the overdue hook is asked, again and again */
};

struct mesh_raft_hooks {
    void *context;
    /* Not 0: the log is closed and mesh_raft_run() gives MESH_RAFT_STOPPED. */
    int (*apply)(void *context, uint64_t index, const void *bytes, size_t length);
    int (*restore)(void *context, const void *bytes, size_t length);
    /* *bytes from mesh_raft_allocate(), then raft's. Not 0: not now. */
    int (*snapshot)(void *context, uint64_t index, void **bytes, size_t *length);
    /* The stream of messages to a member; a new one begins with length 0. */
    void (*outgoing)(void *context, uint64_t to, const void *bytes, size_t length);
    /* The end of what was begun with this token, an enum mesh_raft_code. `index`: of the entry. */
    void (*done)(void *context, uint64_t token, int code, uint64_t index);
    void (*woken)(void *context);   /* after mesh_raft_wake() */
    void (*turn)(void *context);    /* after every turn of the loop */
    void (*closing)(void *context); /* mesh_raft_wake() must not be called any more */
    /* Closing, because of `error` or because it was asked to (""), does not end. Not 0: mesh_raft_run() is to return nevertheless. */
    int (*overdue)(void *context, const char *error);
};

struct mesh_raft_view {
    enum mesh_raft_role role;
    uint64_t term, leader, applied; /* leader 0: none known, or on its way to another */
    unsigned count;
    struct mesh_raft_member members[MESH_RAFT_MAX_MEMBERS]; /* names are raft's, until the next call */
    unsigned short capacity_kib;
};

struct mesh_raft;

/* NULL: *code and `error` (MESH_RAFT_ERROR_BYTES) say why. */
struct mesh_raft *mesh_raft_open(const struct mesh_raft_settings *settings, const struct mesh_raft_hooks *hooks, int *code,
                                 char *error);
/* Until it was closed or failed: MESH_RAFT_OK, _IO, _STOPPED or _ABANDONED. */
int mesh_raft_run(struct mesh_raft *m, char *error);
/* One that was abandoned stays where it is: workers of libuv's may use it. */
void mesh_raft_free(struct mesh_raft *m);
/* From any thread, from the return of mesh_raft_open() to the closing hook. */
void mesh_raft_wake(struct mesh_raft *m);

/* MESH_RAFT_OK: the done hook will be called, not before the return. Otherwise nothing has happened, but for
 * MESH_RAFT_LOST. */
int mesh_raft_apply(struct mesh_raft *m, uint64_t token, const void *bytes, size_t length); /* length: of eight */
int mesh_raft_barrier(struct mesh_raft *m, uint64_t token);
int mesh_raft_add(struct mesh_raft *m, uint64_t token, uint64_t id, const char *name);
int mesh_raft_assign(struct mesh_raft *m, uint64_t token, uint64_t id, int voter);
int mesh_raft_remove(struct mesh_raft *m, uint64_t token, uint64_t id);
int mesh_raft_transfer(struct mesh_raft *m, uint64_t token, uint64_t id); /* 0: to any */

/* One whole and valid message. 0: dropped. */
int mesh_raft_receive(struct mesh_raft *m, uint64_t from, const void *bytes, size_t length);
void mesh_raft_look(struct mesh_raft *m, struct mesh_raft_view *view);
/* InstallSnapshot messages that were dropped because a snapshot was being taken or installed. */
uint64_t mesh_raft_guarded(const struct mesh_raft *m);
/* `hand_over`: leadership first, if there is somebody. */
void mesh_raft_close(struct mesh_raft *m, int hand_over);

void *mesh_raft_allocate(size_t length);

/* Offline, nobody else using the directory: appends a configuration in which `self` is alone. */
int mesh_raft_recover(const char *directory, uint64_t self, const char *name, char *error);
/* Offline, in an empty directory: a log that begins with this snapshot, of which `self` is the only voter. */
int mesh_raft_found(const char *directory, uint64_t self, const char *name, const void *snapshot, size_t length, char *error);

#ifdef __cplusplus
}
#endif
