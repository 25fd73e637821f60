#include "shoset/zmq/sealed.hpp"

#include "shoset/base/limits.hpp"

#include <gtest/gtest.h>

namespace mesh::shoset {
namespace {

TEST(Sealed, IsReadByItsRecipientAlone)
{
    const KeyPair a = *generateKeyPair();
    const KeyPair b = *generateKeyPair();
    for (const std::string& secret : {std::string(), std::string("calvin"), std::string(limits::maxPasswordBytes, 'x')}) {
        const Result<std::string> box = seal(secret, a.publicKey);
        ASSERT_TRUE(box.ok());
        EXPECT_LE(box->size(), limits::maxSealedPasswordBytes);
        EXPECT_EQ(*unseal(*box, a), secret);
        EXPECT_EQ(unseal(*box, b).error().code, Code::permissionDenied);
    }
}

TEST(Sealed, TellsLittleOfTheLengthAndIsNeverTheSameTwice)
{
    const KeyPair a = *generateKeyPair();
    EXPECT_EQ(seal("x", a.publicKey)->size(), seal("a longer password", a.publicKey)->size());
    EXPECT_NE(*seal("x", a.publicKey), *seal("x", a.publicKey));
}

TEST(Sealed, ThatWasChangedIsRefusedAndToWhatIsNoKeyNothingIsSealed)
{
    const KeyPair a = *generateKeyPair();
    std::string box = *seal("calvin", a.publicKey);
    box[50] = static_cast<char>(box[50] ^ 1);
    EXPECT_EQ(unseal(box, a).error().code, Code::permissionDenied);
    EXPECT_EQ(unseal(box.substr(0, 40), a).error().code, Code::permissionDenied);
    EXPECT_EQ(seal("x", "no key").error().code, Code::invalidArgument);
}

}  // namespace
}  // namespace mesh::shoset
