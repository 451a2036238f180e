using TensorCompress.Compression;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class TableProductsTests
{
    private const int Tokens = TableProducts.Tokens;

    private static readonly Widths<Builder> One = new(TableProducts.Build<Simd512>, TableProducts.Build<Simd256>, TableProducts.Build<Simd128>, TableProducts.Build<SimdScalar>);

    private static readonly Widths<Builder> Sixteen = new(
        TableProducts.BuildForTokens<Simd512>, TableProducts.BuildForTokens<Simd256>, TableProducts.BuildForTokens<Simd128>, TableProducts.BuildForTokens<SimdScalar>);

    private static readonly Widths<Adder> Adders = new(
        TableProducts.AddRowsForTokens<Simd512>, TableProducts.AddRowsForTokens<Simd256>, TableProducts.AddRowsForTokens<Simd128>, TableProducts.AddRowsForTokens<SimdScalar>);

    private delegate void Builder(ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int count, Span<float> table);

    private delegate void Adder(CodeRows codes, int firstRow, int firstGroup, ReadOnlySpan<float> tables, int centroids, Span<float> sums);

    [Fact]
    public void Tables_hold_the_products_with_all_centroids()
    {
        var source = new FloatSource(5);
        for (int count = 1; count <= 70; count += count < 20 ? 1 : 7)
        {
            int columns = 1 + count % 9;
            bool guardAfter = count % 2 == 0;
            using GuardedMemory<float> x = new(columns * Tokens, guardAfter), one = new(columns, guardAfter), centroids = new(columns * count, guardAfter), table = new(TableProducts.TableLength(count), guardAfter);
            using GuardedMemory<float> read = new((columns - 1) * count + TableProducts.TableLength(count), guardAfter), together = new(count * Tokens, guardAfter);
            source.Array(x.Length).CopyTo(x.Span);
            source.Array(centroids.Length).CopyTo(centroids.Span);
            centroids.Span.CopyTo(read.Span);
            foreach ((string width, Builder build) in Sixteen.All)
            {
                build(x.Span, centroids.Span, count, together.Span);
                for (int i = 0; i < together.Length; i++)
                {
                    double expected = Enumerable.Range(0, columns).Sum(k => (double)x.Span[k * Tokens + i % Tokens] * centroids.Span[k * count + i / Tokens]);
                    Assert.True(Math.Abs(expected - together.Span[i]) <= 1e-6, width);
                }
            }

            float[] batch = together.Span.ToArray();
            for (int token = 0; token < Tokens; token += 5)
            {
                for (int k = 0; k < columns; k++) one.Span[k] = x.Span[k * Tokens + token];
                foreach ((string width, Builder build) in One.All)
                {
                    build(one.Span, read.Span, count, table.Span);
                    if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual([.. Enumerable.Range(0, count).Select(c => batch[c * Tokens + token])], table.Span[..count], width);
                }
            }
        }
    }

    [Fact]
    public void Rows_add_what_their_codes_choose_with_the_same_bits_alone_and_together()
    {
        var source = new FloatSource(9);
        for (int bits = 0; bits <= 8; bits++)
        {
            foreach ((int rows, int groups, int first) in new[] { (1, 1, 0), (5, 4, 0), (7, 11, 4), (3, 22, 8), (40, 3, 0), (4, 6, 5) })
            {
                int centroids = (1 << bits) - (bits > 1 ? 1 : 0), length = TableProducts.TableLength(centroids), count = groups - first, firstRow = rows / 3, used = rows - firstRow;
                using GuardedMemory<byte> bytes = new((int)BitStream.Padded((long)rows * groups * bits) / 8 + TableProducts.SlackBytes, guardAfter: true);
                int[] chosen = [.. Enumerable.Range(0, rows * groups).Select(_ => Math.Abs(source.Integer(1 << 20)) % centroids)];
                for (int i = 0; i < chosen.Length; i++) if (bits > 0) BitStream.Write(bytes.Span, (long)i * bits, chosen[i]);
                using GuardedMemory<float> together = new(count * centroids * Tokens), alone = new(count * length), sums = new(used * Tokens), single = new(used);
                source.Array(together.Length).CopyTo(together.Span);
                float[]? reference = null;
                foreach ((string width, Adder add) in Adders.All)
                {
                    sums.Span.Fill(0.25f);
                    add(new CodeRows(bytes.Span, bits, groups), firstRow, first, together.Span, centroids, sums.Span);
                    for (int i = 0; i < sums.Length; i++)
                    {
                        double expected = 0.25;
                        for (int g = 0; g < count; g++) expected += together.Span[(g * centroids + chosen[(firstRow + i / Tokens) * groups + first + g]) * Tokens + i % Tokens];
                        Assert.True(Math.Abs(expected - sums.Span[i]) <= 1e-5, $"{bits} bits, {rows} x {groups}, width {width}: {sums.Span[i]}, not {expected}");
                    }

                    FloatBits.AssertEqual(reference ??= sums.Span.ToArray(), sums.Span, width);
                }

                for (int token = 0; token < Tokens; token += 7)
                {
                    for (int i = 0; i < count * centroids; i++) alone.Span[i / centroids * length + i % centroids] = together.Span[i * Tokens + token];
                    single.Span.Fill(0.25f);
                    TableProducts.AddRows(new CodeRows(bytes.Span, bits, groups), firstRow, first, alone.Span, length, single.Span);
                    FloatBits.AssertEqual([.. Enumerable.Range(0, used).Select(row => reference![row * Tokens + token])], single.Span, $"token {token}");
                }
            }
        }
    }

    [Fact]
    public void What_lies_outside_is_refused()
    {
        byte[] bytes = new byte[4 + TableProducts.SlackBytes];
        float[] tables = new float[2 * 16], sums = new float[4];
        TableProducts.AddRows(new CodeRows(bytes, 4, 2), 0, 0, tables, 16, sums);
        Assert.Throws<ArgumentException>(() => TableProducts.AddRows(new CodeRows(bytes, 4, 2), 1, 0, tables, 16, sums));
        Assert.Throws<ArgumentOutOfRangeException>(() => TableProducts.AddRows(new CodeRows(bytes, 4, 2), 0, 1, tables, 16, sums));
        Assert.Throws<ArgumentOutOfRangeException>(() => TableProducts.AddRows(new CodeRows(bytes, 15, 2), 0, 0, tables, 16, sums));
        Assert.Throws<ArgumentOutOfRangeException>(() => TableProducts.Build(new float[2], new float[16], 1, new float[16]));
        Assert.Throws<ArgumentOutOfRangeException>(() => TableProducts.Build(new float[1], new float[16], 17, new float[16]));
    }
}
