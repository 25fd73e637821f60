#pragma once

namespace mesh {

// How many of `plain` random rounds a test makes. Under the sanitizers each is four times slower, and finds what it finds in
// fewer.
constexpr int testRounds(int plain)
{
#ifdef MESH_SANITIZED
    return (plain + 3) / 4;
#else
    return plain;
#endif
}

}  // namespace mesh
