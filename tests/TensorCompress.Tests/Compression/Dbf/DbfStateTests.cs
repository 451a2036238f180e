using System.Buffers.Binary;
using System.Security.Cryptography;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Dbf;

/// <summary>Saved states of the solver that are not what was saved.</summary>
public sealed class DbfStateTests
{
    private const int IdentityBytes = 32, HashBytes = 32;

    [Fact]
    public void A_damaged_state_is_refused_and_changes_nothing()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(6, 5, 12);
        var options = new DbfOptions(middleDimension: 3, schedule: DbfSchedule.ForRate(0.5) with { Rounds = 10 });
        byte[] state = StateAfter(7);
        using DbfFactorizer expected = new(weights.View, options, new CompressionContext()), factorizer = new(weights.View, options, new CompressionContext());
        using DbfWeight whole = expected.Run();
        factorizer.RunRounds(3);
        for (int i = 0; i < state.Length; i++)
        {
            byte[] damaged = [.. state];
            damaged[i] ^= (byte)(1 << (i % 8));
            if (i < IdentityBytes) Assert.Throws<ArgumentException>(() => Restore(damaged));
            else Assert.Throws<TensorFormatException>(() => Restore(damaged));
            Assert.Equal(TensorFormatError.Truncated, Assert.Throws<TensorFormatException>(() => Restore(state[..i])).Kind);
        }

        using DbfWeight rest = factorizer.Run();
        Assert.Equal((7, expected.Error), (factorizer.RoundsRun - 3, factorizer.Error));
        Assert.Equal(whole.MiddleScale, rest.MiddleScale);

        void Restore(byte[] bytes) => factorizer.RestoreState(new MemoryStream(bytes));

        byte[] StateAfter(int rounds)
        {
            using var begun = new DbfFactorizer(weights.View, options, new CompressionContext());
            begun.RunRounds(rounds);
            using var stream = new MemoryStream();
            begun.SaveState(stream);
            return stream.ToArray();
        }
    }

    [Theory]
    [InlineData(-5)]
    [InlineData(11)]
    [InlineData(int.MaxValue)]
    public void A_round_that_there_is_not_is_refused_even_with_the_right_hash(int round)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(6, 5, 12);
        using var factorizer = new DbfFactorizer(weights.View, new DbfOptions(middleDimension: 3, schedule: DbfSchedule.ForRate(0.5) with { Rounds = 10 }), new CompressionContext());
        factorizer.RunRounds(4);
        using var stream = new MemoryStream();
        factorizer.SaveState(stream);
        byte[] state = stream.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(IdentityBytes), round);
        SHA256.HashData(state.AsSpan(0, state.Length - HashBytes), state.AsSpan(state.Length - HashBytes));
        Assert.Equal(TensorFormatError.Value, Assert.Throws<TensorFormatException>(() => factorizer.RestoreState(new MemoryStream(state))).Kind);
    }
}
