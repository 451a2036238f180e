using TensorCompress.Compression;
using TensorCompress.Kernels;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

/// <summary>Random codes and swap bits, nothing readable behind them but what kernels may read, and what a row of them comes to.</summary>
internal sealed class SwappedSample : IDisposable
{
    private readonly GuardedMemory<byte> _codes, _swaps;
    private readonly int[] _chosen;
    private readonly bool[] _isAscending;
    private readonly int _bits, _partners, _columns;

    public SwappedSample(FloatSource source, int rows, int partners, int columns, int centroids)
    {
        (_bits, _partners, _columns) = ((int)Math.Ceiling(Math.Log2(centroids)), partners, columns);
        _chosen = [.. Enumerable.Range(0, rows * 2 * partners).Select(_ => Math.Abs(source.Integer(1 << 20)) % centroids)];
        _isAscending = [.. Enumerable.Range(0, rows * partners * columns).Select(_ => source.Integer(1000) > 0)];
        _codes = new GuardedMemory<byte>(BitStream.ByteLength(_chosen.Length, _bits) + TableProducts.SlackBytes, guardAfter: true);
        _swaps = new GuardedMemory<byte>(BitStream.ByteLength(_isAscending.Length, 1) + TableProducts.SlackBytes, guardAfter: true);
        for (int i = 0; i < _chosen.Length; i++) if (_bits > 0) BitStream.Write(_codes.Span, (long)i * _bits, _chosen[i]);
        for (int i = 0; i < _isAscending.Length; i++) BitStream.Write(_swaps.Span, i, _isAscending[i] ? 1 : 0);
    }

    /// <summary>As kernels read them.</summary>
    public SwappedRows Rows => new(new CodeRows(_codes.Span, _bits, 2 * _partners), _swaps.Span, _columns);

    /// <summary>The product of some groups of a row and their partners: the pair's smaller number stands first where its bit is set.</summary>
    /// <param name="row">Which.</param>
    /// <param name="first">The first group, of the first half.</param>
    /// <param name="groups">Groups of the first half.</param>
    /// <param name="number">Group from the first on, half, column, centroid.</param>
    /// <param name="x">The vector from the first group on.</param>
    public double Product(int row, int first, int groups, Func<int, int, int, int, float> number, Func<int, double> x)
    {
        double sum = 0;
        for (int group = 0; group < groups; group++)
        {
            for (int k = 0; k < _columns; k++)
            {
                int at = row * 2 * _partners + first + group, pair = group * _columns + k;
                double smaller = number(group, 0, k, _chosen[at]), larger = number(group, 1, k, _chosen[at + _partners]);
                (double a, double b) = _isAscending[(row * _partners + first) * _columns + pair] ? (smaller, larger) : (larger, smaller);
                sum += x(2 * pair) * a + x(2 * pair + 1) * b;
            }
        }

        return sum;
    }

    public void Dispose()
    {
        _codes.Dispose();
        _swaps.Dispose();
    }
}
