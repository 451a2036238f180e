using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public unsafe class ProductTileTests
{
    [Fact]
    public void Every_height_and_width_writes_its_rows_reads_its_panels_and_touches_nothing_else()
    {
        Check<Register512<float>, float, TileOfFourteen>();
        Check<Register512<double>, double, TileOfFourteen>();
        Check<Register256<float>, float, TileOfSix>();
        Check<Register256<double>, double, TileOfSix>();
        Check<Register256<float>, float, TileOfFour>();
        Check<Register128<float>, float, TileOfFourteen>();
        Check<Register128<double>, double, TileOfSix>();
        Check<RegisterScalar<float>, float, TileOfSix>();
        Check<RegisterScalar<double>, double, TileOfFour>();
    }

    [Theory]
    [InlineData(6)]
    [InlineData(14)]
    [InlineData(16)]
    public void Packing_puts_the_lines_side_by_side_and_reads_nothing_else(int width)
    {
        foreach (int lines in new[] { 1, 5, width, width + 1, 5 * width - 1 })
        {
            foreach (int depth in new[] { 1, 7, 8, 9, 33 })
            {
                foreach (bool guardAfter in new[] { false, true })
                {
                    using GuardedMemory<float> single = new(lines * depth, guardAfter);
                    using GuardedMemory<double> wide = new(lines * depth, guardAfter);
                    for (int i = 0; i < lines * depth; i++) wide.Span[i] = single.Span[i] = i + 1;
                    CheckPacking<float, float>(single, lines, depth, width);
                    CheckPacking<float, double>(single, lines, depth, width);
                    CheckPacking<double, double>(wide, lines, depth, width);
                }
            }
        }
    }

    private static void Check<TRegister, T, TRows>()
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged, IFloatingPointIeee754<T>
        where TRows : struct, ITileSize
    {
        int columns = 2 * TRegister.Count;
        foreach (int depth in new[] { 0, 1, 2, 17 })
        {
            for (int rows = 1; rows <= TRows.Count; rows++)
            {
                foreach (bool guardAfter in new[] { false, true })
                {
                    using GuardedMemory<T> a = new(Math.Max(1, depth * TRows.Count), guardAfter), b = new(Math.Max(1, depth * columns), guardAfter), c = new(rows * columns, guardAfter);
                    for (int i = 0; i < a.Length; i++) a.Span[i] = T.CreateChecked(i * 7 % 13 - 6);
                    for (int i = 0; i < b.Length; i++) b.Span[i] = T.CreateChecked(i * 5 % 11 - 5);
                    for (int i = 0; i < c.Length; i++) c.Span[i] = T.CreateChecked(i % 9);
                    ProductTile.Multiply<TRegister, T, TRows>(depth, Start(a), TRows.Count, Start(b), Start(c), columns, rows, T.CreateChecked(2), T.CreateChecked(-3));
                    for (int i = 0; i < rows * columns; i++)
                    {
                        double expected = -3 * (i % 9);
                        for (int k = 0; k < depth; k++) expected += 2 * ((k * TRows.Count + i / columns) * 7 % 13 - 6) * ((k * columns + i % columns) * 5 % 11 - 5);
                        Assert.Equal(expected, double.CreateChecked(c.Span[i]));
                    }
                }
            }
        }
    }

    // Line i at depth k has the value i * depth + k + 1 where lines are contiguous, k * lines + i + 1 where they are a stride apart.
    private static void CheckPacking<TSource, T>(GuardedMemory<TSource> source, int lines, int depth, int width)
        where TSource : unmanaged
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int panels = (lines + width - 1) / width;
        T[] packed = new T[panels * width * depth + PanelPacking.Slack];
        fixed (T* to = packed)
        {
            foreach (bool contiguous in new[] { false, true })
            {
                PanelPacking.Pack(Start(source), contiguous ? depth : 1, contiguous ? 1 : lines, lines, depth, width, to);
                for (int line = 0; line < lines; line++)
                {
                    for (int k = 0; k < depth; k++)
                    {
                        double expected = (contiguous ? line * depth + k : k * lines + line) + 1;
                        Assert.Equal(expected, double.CreateChecked(packed[line / width * width * depth + k * width + line % width]));
                    }
                }
            }
        }
    }

    private static T* Start<T>(GuardedMemory<T> memory)
        where T : unmanaged => (T*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(memory.Span));
}
