#include "cluster/raft/raft_instance.h"

/* What is asked of raft. Misuse is silent in Debian's build, so everything is checked here first. */

/* What raft has under way; freed by its callback, which raft_close() runs, too. */
struct request {
    union {
        struct raft_apply apply;
        struct raft_barrier barrier;
        struct raft_change change;
        struct raft_transfer transfer;
    } raft;
    struct mesh_raft *m;
    uint64_t token;
};

static int code_of(int status)
{
    switch (status) {
        case 0: return MESH_RAFT_OK;
        case RAFT_NOTLEADER: return MESH_RAFT_NOT_LEADER;
        case RAFT_NOSPACE: return MESH_RAFT_FULL;
        case RAFT_CANTCHANGE: return MESH_RAFT_BUSY;
        case RAFT_NOCONNECTION: return MESH_RAFT_TOO_SLOW;
        case RAFT_BADID:
        case RAFT_BADROLE:
        case RAFT_NOTFOUND:
        case RAFT_DUPLICATEID:
        case RAFT_DUPLICATEADDRESS: return MESH_RAFT_REFUSED;
        default: return MESH_RAFT_LOST;
    }
}

static struct request *make_request(struct mesh_raft *m, uint64_t token)
{
    struct request *request = calloc(1, sizeof *request);
    if (request != NULL) {
        request->m = m;
        request->token = token;
    }
    return request;
}

static void finish(struct request *request, int status, uint64_t index)
{
    request->m->hooks.done(request->m->hooks.context, request->token, code_of(status), index);
    free(request);
}

static void on_applied(struct raft_apply *apply_request, int status, void *result)
{
    (void)result;
    finish((struct request *)apply_request, status, apply_request->index);
}

static void on_barrier(struct raft_barrier *barrier, int status)
{
    finish((struct request *)barrier, status, barrier->index);
}

static void on_changed(struct raft_change *change, int status)
{
    finish((struct request *)change, status, 0);
}

static void on_transferred(struct raft_transfer *transfer)
{
    struct request *request = (struct request *)transfer;
    finish(request, raft_state(&request->m->raft) == RAFT_LEADER ? RAFT_NOCONNECTION : 0, 0);
}

static int leads(struct mesh_raft *m)
{
    return m->failure == MESH_RAFT_OK && !m->closing && raft_state(&m->raft) == RAFT_LEADER &&
           raft_transferee(&m->raft) == 0;
}

static int may_change(struct mesh_raft *m)
{
    if (!leads(m)) {
        return MESH_RAFT_NOT_LEADER;
    }
    return m->raft.legacy.change != NULL || m->raft.configuration_uncommitted_index != 0 ? MESH_RAFT_BUSY : MESH_RAFT_OK;
}

int mesh_raft_apply(struct mesh_raft *m, uint64_t token, const void *bytes, size_t length)
{
    struct raft_buffer buffer = {NULL, length};
    struct request *request;
    int status;
    if (!leads(m)) {
        return MESH_RAFT_NOT_LEADER;
    }
    request = make_request(m, token);
    buffer.base = raft_malloc(length);
    if (request == NULL || buffer.base == NULL) {
        free(request);
        raft_free(buffer.base);
        return MESH_RAFT_FULL;
    }
    memcpy(buffer.base, bytes, length);
    m->entry_taken = 0;
    status = raft_apply(&m->raft, &request->raft.apply, &buffer, 1, on_applied);
    if (status == 0) {
        return MESH_RAFT_OK;
    }
    free(request);
    if (m->entry_taken) {
        return MESH_RAFT_LOST;
    }
    raft_free(buffer.base);
    return code_of(status);
}

int mesh_raft_barrier(struct mesh_raft *m, uint64_t token)
{
    struct request *request;
    int status;
    if (!leads(m)) {
        return MESH_RAFT_NOT_LEADER;
    }
    request = make_request(m, token);
    if (request == NULL) {
        return MESH_RAFT_FULL;
    }
    status = raft_barrier(&m->raft, &request->raft.barrier, on_barrier);
    if (status != 0) {
        free(request);
    }
    return code_of(status);
}

/* Raft remembers a change that it has refused: it would be answered, freed, by the next one. */
static int begun(struct mesh_raft *m, struct request *request, int status)
{
    if (status != 0) {
        if (m->raft.legacy.change == &request->raft.change) {
            m->raft.legacy.change = NULL;
        }
        free(request);
    }
    return code_of(status);
}

int mesh_raft_add(struct mesh_raft *m, uint64_t token, uint64_t id, const char *name)
{
    const int code = may_change(m);
    struct request *request = code == MESH_RAFT_OK ? make_request(m, token) : NULL;
    if (request == NULL) {
        return code == MESH_RAFT_OK ? MESH_RAFT_BUSY : code;
    }
    return begun(m, request, raft_add(&m->raft, &request->raft.change, id, name, on_changed));
}

int mesh_raft_assign(struct mesh_raft *m, uint64_t token, uint64_t id, int voter)
{
    const int code = may_change(m);
    struct request *request = code == MESH_RAFT_OK ? make_request(m, token) : NULL;
    if (request == NULL) {
        return code == MESH_RAFT_OK ? MESH_RAFT_BUSY : code;
    }
    return begun(m, request,
                 raft_assign(&m->raft, &request->raft.change, id, voter ? RAFT_VOTER : RAFT_SPARE, on_changed));
}

int mesh_raft_remove(struct mesh_raft *m, uint64_t token, uint64_t id)
{
    const int code = id == m->raft.id ? MESH_RAFT_REFUSED : may_change(m);
    struct request *request = code == MESH_RAFT_OK ? make_request(m, token) : NULL;
    if (request == NULL) {
        return code == MESH_RAFT_OK ? MESH_RAFT_BUSY : code;
    }
    return begun(m, request, raft_remove(&m->raft, &request->raft.change, id, on_changed));
}

int mesh_raft_transfer(struct mesh_raft *m, uint64_t token, uint64_t id)
{
    struct request *request;
    int status;
    if (!leads(m)) {
        return MESH_RAFT_NOT_LEADER;
    }
    if (m->raft.transfer != NULL) {
        return MESH_RAFT_BUSY;
    }
    request = make_request(m, token);
    if (request == NULL) {
        return MESH_RAFT_BUSY;
    }
    status = raft_transfer(&m->raft, &request->raft.transfer, id, on_transferred);
    if (status != 0) {
        free(request);
    }
    return code_of(status);
}

/* ---- messages and the view */

int mesh_raft_receive(struct mesh_raft *m, uint64_t from, const void *bytes, size_t length)
{
    char unknown[32];
    unsigned i;
    if (m->failure != MESH_RAFT_OK || m->closing) {
        return 0;
    }
    for (i = 0; i < m->raft.configuration.n; ++i) {
        if (m->raft.configuration.servers[i].id == from) {
            return mesh_pipes_receive(&m->pipes, from, m->raft.configuration.servers[i].address, bytes, length);
        }
    }
    snprintf(unknown, sizeof unknown, "#%llu", (unsigned long long)from);
    return mesh_pipes_receive(&m->pipes, from, unknown, bytes, length);
}

void mesh_raft_look(struct mesh_raft *m, struct mesh_raft_view *view)
{
    const char *address = NULL;
    raft_id leader = 0;
    unsigned i;
    memset(view, 0, sizeof *view);
    view->role = raft_state(&m->raft) == RAFT_LEADER      ? MESH_RAFT_LEADER
                 : raft_state(&m->raft) == RAFT_CANDIDATE ? MESH_RAFT_CANDIDATE
                                                          : MESH_RAFT_FOLLOWER;
    raft_leader(&m->raft, &leader, &address);
    view->leader = leader;
    view->term = raft_current_term(&m->raft);
    view->applied = raft_last_applied(&m->raft);
    view->capacity_kib = m->io.capacity;
    for (i = 0; i < m->raft.configuration.n && i < MESH_RAFT_MAX_MEMBERS; ++i) {
        const struct raft_server *server = &m->raft.configuration.servers[i];
        raft_index match = 0;
        (void)raft_match_index(&m->raft, server->id, &match);
        view->members[view->count++] =
            (struct mesh_raft_member){server->id, server->address, server->role == RAFT_VOTER, match};
    }
}

uint64_t mesh_raft_guarded(const struct mesh_raft *m)
{
    return m->guarded;
}

/* ---- the end */

static void on_farewell_over(uv_timer_t *timer)
{
    mesh_raft_close_now(timer->data);
}

static void on_farewell(struct raft_transfer *transfer)
{
    struct mesh_raft *m = transfer->data;
    if (!m->closing) {
        uv_timer_start(&m->ending, on_farewell_over, 0, 0);
    }
}

void mesh_raft_close(struct mesh_raft *m, int hand_over)
{
    uint64_t wait = 0;
    if (m->closing || m->failure != MESH_RAFT_OK || (m->leaving && hand_over)) {
        return;
    }
    m->leaving = 1;
    m->farewell.data = m;
    if (hand_over && leads(m) && m->raft.transfer == NULL &&
        raft_transfer(&m->raft, &m->farewell, 0, on_farewell) == 0) {
        wait = 2 * (uint64_t)m->election_ms; /* raft gives up after one election timeout */
    }
    uv_timer_start(&m->ending, on_farewell_over, wait, 0);
}
