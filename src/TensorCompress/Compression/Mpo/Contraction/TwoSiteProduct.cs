using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Contraction;

/// <summary>
/// The three ways to multiply by an operator of two sites, all over the same two layouts: A as [o_1, r, i_1], each o_1 <see cref="TwoSiteShape.FirstStride"/> floats long, and B in panels of sixteen o_2, [slice][r, i_2, o_2].
/// A work unit's intermediate state stays in the second-level cache between the two products.
/// </summary>
/// <remarks>
/// Every output is one chain of multiply-adds in an order that the path fixes: (r, i_1) from the right, (r, i_2) from the left, (i_1, i_2) with W rebuilt. Units, tokens and threads do not
/// change its bits; the path does.
/// </remarks>
internal static unsafe class TwoSiteProduct
{
    /// <summary>Floats of a unit's intermediate state: a quarter of a second-level cache of 512 KiB.</summary>
    private const int StateFloats = 1 << 15;

    private const int LeftRows = 12;

    /// <summary>Indexes i_2 for which panels are gathered together when W is rebuilt: their rows lie side by side, those of the next r a page or so further.</summary>
    private const int GatheredInputs = 4;

    /// <summary>Tokens for which one unit works, so that there are units for all threads.</summary>
    private const int TokenBlock = 64;

    /// <summary>The operands of a product.</summary>
    /// <param name="Shape">Digits and bond.</param>
    /// <param name="First">A, floats in any shape.</param>
    /// <param name="Second">B in panels.</param>
    /// <param name="Input">[tokens, n] with the padding of the factors, readable 16 floats beyond the last row.</param>
    /// <param name="Result">[tokens, m] with the padding of the factors.</param>
    /// <param name="Slots">Scratch memory for a unit.</param>
    private readonly record struct Operands(TwoSiteShape Shape, MatrixView<float> First, MatrixView<float> Second, MatrixView<float> Input, MatrixView<float> Result, ScratchSlots Slots)
    {
        public int TokenBlocks => ((int)Input.Rows + TokenBlock - 1) / TokenBlock;
    }

    /// <summary>Multiplies.</summary>
    public static void Multiply(
        ContractionPath path, TwoSiteShape shape, MatrixView<float> first, MatrixView<float> second, MatrixView<float> input, MatrixView<float> result, ComputeContext context)
    {
        ComputePool pool = context.Pool;
        if (path == ContractionPath.FromLeft && shape.IsNarrow)
        {
            NarrowProduct.Multiply(shape, first, second, input, result, context);
            return;
        }

        using ScratchLease scratch = context.Rent(pool.Threads, UnitFloats(path, shape));
        var operands = new Operands(shape, first, second, input, result, new ScratchSlots(scratch.View));
        switch (path)
        {
            case ContractionPath.FromRight:
                pool.For((nint)shape.Slices * operands.TokenBlocks, 1, operands, static (start, end, on) =>
                {
                    int slot = on.Slots.Take();
                    FromRight(start, end, on, on.Slots.Pointer(slot));
                    on.Slots.Return(slot);
                });
                break;
            case ContractionPath.FromLeft:
                int rowBlocks = (shape.Outputs1 + LeftRows - 1) / LeftRows;
                pool.For((nint)rowBlocks * operands.TokenBlocks, 1, operands, static (start, end, on) =>
                {
                    int slot = on.Slots.Take();
                    FromLeft(start, end, on, on.Slots.Pointer(slot));
                    on.Slots.Return(slot);
                });
                break;
            default:
                pool.For((nint)shape.Slices * shape.Outputs1, 1, operands, static (start, end, on) =>
                {
                    int slot = on.Slots.Take();
                    Rebuild(start, end, on, on.Slots.Pointer(slot));
                    on.Slots.Return(slot);
                });
                break;
        }
    }

    /// <summary>Puts a row of A, o_1 with (i_1, r) running, where the kernel reads it.</summary>
    /// <param name="shape">Digits and bond.</param>
    /// <param name="row">o_1.</param>
    /// <param name="values">The elements (i_1, r).</param>
    /// <param name="first"><see cref="TwoSiteShape.FirstFloats"/> floats in one row.</param>
    public static void PackFirst(TwoSiteShape shape, nint row, ReadOnlySpan<float> values, MatrixView<float> first)
    {
        float* destination = first.Pointer + row * shape.FirstStride;
        fixed (float* source = values) Turn(source, shape.Bond, shape.Inputs1, destination);
    }

    /// <summary>The inverse of <see cref="PackFirst"/>.</summary>
    public static void UnpackFirst(TwoSiteShape shape, nint row, MatrixView<float> first, Span<float> values)
    {
        float* source = first.Pointer + row * shape.FirstStride;
        for (int i = 0; i < shape.Inputs1; i++)
        {
            for (int r = 0; r < shape.Bond; r++) values[i * shape.Bond + r] = source[(nint)r * shape.Inputs1 + i];
        }
    }

    /// <summary>Puts all rows (r, o_2) of B with one r, i_2 running, into panels.</summary>
    /// <param name="shape">Digits and bond.</param>
    /// <param name="bond">r.</param>
    /// <param name="values">The elements (o_2, i_2).</param>
    /// <param name="panels"><see cref="TwoSiteShape.PanelFloats"/> floats in one row.</param>
    public static void PackSecond(TwoSiteShape shape, nint bond, ReadOnlySpan<float> values, MatrixView<float> panels)
    {
        fixed (float* source = values)
        {
            for (int slice = 0; slice < shape.Slices; slice++)
            {
                int width = shape.SliceWidth(slice);
                Turn(source + (nint)slice * PanelProduct.Width * shape.Inputs2, shape.Inputs2, width, panels.Pointer + shape.SliceStart(slice) + bond * shape.Inputs2 * width);
            }
        }
    }

    /// <summary>[lines, depth] to [depth, lines]. Squares of registers would reach beyond lines that are no multiple of their side, where another thread may be at work.</summary>
    private static void Turn(float* source, int depth, int lines, float* destination)
    {
        if (lines % 8 == 0)
        {
            PanelPacking.Pack(source, depth, 1, lines, depth, lines, destination);
            return;
        }

        for (nint line = 0; line < lines; line++)
        {
            for (nint k = 0; k < depth; k++) destination[k * lines + line] = source[line * depth + k];
        }
    }

    /// <summary>One row of the inverse of <see cref="PackSecond"/>.</summary>
    public static void UnpackRow(TwoSiteShape shape, nint row, MatrixView<float> panels, Span<float> values)
    {
        (nint r, nint o) = Math.DivRem(row, shape.Outputs2);
        int slice = (int)o / PanelProduct.Width, width = shape.SliceWidth(slice);
        float* source = panels.Pointer + shape.SliceStart(slice) + r * shape.Inputs2 * width + o % PanelProduct.Width;
        for (int i = 0; i < values.Length; i++) values[i] = source[(nint)i * width];
    }

    /// <summary>Indexes r contracted at a time from the right.</summary>
    private static int RightBlock(TwoSiteShape shape) => Math.Clamp(StateFloats / (PanelProduct.Width * shape.Inputs1), 1, shape.Bond);

    /// <summary>Indexes r contracted at a time from the left.</summary>
    private static int LeftBlock(TwoSiteShape shape) => Math.Clamp(StateFloats / (LeftRows * shape.Inputs2), 1, shape.Bond);

    /// <summary>Floats from one o_1 to the next in an intermediate state from the left.</summary>
    private static nint LeftStride(TwoSiteShape shape) => TwoSiteShape.Apart((nint)LeftBlock(shape) * shape.Inputs2);

    private static nint UnitFloats(ContractionPath path, TwoSiteShape shape) => path switch
    {
        ContractionPath.FromRight => (nint)RightBlock(shape) * shape.Inputs1 * PanelProduct.Width,
        ContractionPath.FromLeft => LeftRows * LeftStride(shape),
        _ => shape.Inputs1 * RebuiltStride(shape) + ((nint)GatheredInputs * shape.Bond + 1) * PanelProduct.Width,
    };

    /// <summary>Units (slice, block of tokens): T[r, i_1, o_2] = sum over i_2 of x[i_1, i_2] B[r, i_2, o_2], then y[o_1, o_2] = sum over (r, i_1) of A[o_1, r, i_1] T[r, i_1, o_2].</summary>
    private static void FromRight(nint start, nint end, in Operands on, float* state)
    {
        TwoSiteShape shape = on.Shape;
        int block = RightBlock(shape);
        for (nint unit = start; unit < end; unit++)
        {
            (nint sliceIndex, nint tokens) = Math.DivRem(unit, on.TokenBlocks);
            int slice = (int)sliceIndex, width = shape.SliceWidth(slice);
            float* panel = on.Second.Pointer + shape.SliceStart(slice);
            nint tokenEnd = nint.Min((tokens + 1) * TokenBlock, on.Input.Rows);
            for (nint token = tokens * TokenBlock; token < tokenEnd; token++)
            {
                float* x = on.Input.Pointer + token * on.Input.Stride;
                float* y = on.Result.Pointer + token * on.Result.Stride + (nint)slice * PanelProduct.Width;
                bool isFirst = unit == start && token == tokens * TokenBlock;
                for (int from = 0; from < shape.Bond; from += block)
                {
                    int count = Math.Min(block, shape.Bond - from);
                    for (int r = 0; r < count; r++)
                    {
                        if (isFirst) Fetch(on, panel, from + r, width);
                        PanelProduct.Multiply(new PanelOperands
                        {
                            A = x,
                            RowStride = shape.Inputs2,
                            DepthStride = 1,
                            Rows = shape.Inputs1,
                            Depth = shape.Inputs2,
                            Panel = panel + (nint)(from + r) * shape.Inputs2 * width,
                            PanelStride = width,
                            Result = state + (nint)r * shape.Inputs1 * PanelProduct.Width,
                            ResultStride = PanelProduct.Width,
                            Width = PanelProduct.Width,
                        });
                    }

                    PanelProduct.Multiply(new PanelOperands
                    {
                        A = on.First.Pointer + (nint)from * shape.Inputs1,
                        RowStride = shape.FirstStride,
                        DepthStride = 1,
                        Rows = shape.Outputs1,
                        Depth = (nint)count * shape.Inputs1,
                        Panel = state,
                        PanelStride = PanelProduct.Width,
                        Result = y,
                        ResultStride = shape.Outputs2,
                        Width = width,
                        Accumulate = from > 0,
                    });
                }
            }
        }
    }

    /// <summary>
    /// Asks for the next panel and for an equal part of A while a panel is multiplied: both come from memory when a token is the first after other layers, and rows of A, each on pages of its
    /// own, are nothing that the processor would foresee.
    /// </summary>
    private static void Fetch(in Operands on, float* panel, int r, int width)
    {
        TwoSiteShape shape = on.Shape;
        nint panelFloats = (nint)shape.Inputs2 * width, share = (shape.FirstFloats + shape.Bond - 1) / shape.Bond;
        if (r + 1 < shape.Bond) ProductTile.Prefetch(panel + (r + 1) * panelFloats, panelFloats);
        ProductTile.Prefetch(on.First.Pointer + r * share, nint.Min(share, shape.FirstFloats - r * share));
    }

    /// <summary>Units (block of o_1, block of tokens): T[o_1, r, i_2] = sum over i_1 of A[o_1, r, i_1] x[i_1, i_2], then y[o_1, o_2] = sum over (r, i_2) of T[o_1, r, i_2] B[r, i_2, o_2].</summary>
    private static void FromLeft(nint start, nint end, in Operands on, float* state)
    {
        TwoSiteShape shape = on.Shape;
        int blockBond = LeftBlock(shape);
        nint stateStride = LeftStride(shape);
        for (nint unit = start; unit < end; unit++)
        {
            (nint rowBlock, nint tokens) = Math.DivRem(unit, on.TokenBlocks);
            int firstRow = (int)rowBlock * LeftRows, rows = Math.Min(LeftRows, shape.Outputs1 - firstRow);
            nint tokenEnd = nint.Min((tokens + 1) * TokenBlock, on.Input.Rows);
            for (nint token = tokens * TokenBlock; token < tokenEnd; token++)
            {
                for (int from = 0; from < shape.Bond; from += blockBond)
                {
                    int count = Math.Min(blockBond, shape.Bond - from);
                    for (int row = 0; row < rows; row++)
                        ContractFirst(on, firstRow + row, from, count, on.Input.Pointer + token * on.Input.Stride, state + row * stateStride);
                    for (int slice = 0; slice < shape.Slices; slice++)
                    {
                        int width = shape.SliceWidth(slice);
                        PanelProduct.Multiply(new PanelOperands
                        {
                            A = state,
                            RowStride = stateStride,
                            DepthStride = 1,
                            Rows = rows,
                            Depth = (nint)count * shape.Inputs2,
                            Panel = on.Second.Pointer + shape.SliceStart(slice) + (nint)from * shape.Inputs2 * width,
                            PanelStride = width,
                            Result = on.Result.Pointer + token * on.Result.Stride + (nint)firstRow * shape.Outputs2 + slice * PanelProduct.Width,
                            ResultStride = shape.Outputs2,
                            Width = width,
                            Accumulate = from > 0,
                        });
                    }
                }
            }
        }
    }

    /// <summary>T[r, i_2] = sum over i_1 of A[o_1, r, i_1] x[i_1, i_2] for one o_1 and some r.</summary>
    private static void ContractFirst(in Operands on, int output, int from, int count, float* x, float* state)
    {
        TwoSiteShape shape = on.Shape;
        for (int column = 0; column < shape.Inputs2; column += PanelProduct.Width)
        {
            PanelProduct.Multiply(new PanelOperands
            {
                A = on.First.Pointer + output * shape.FirstStride + (nint)from * shape.Inputs1,
                RowStride = shape.Inputs1,
                DepthStride = 1,
                Rows = count,
                Depth = shape.Inputs1,
                Panel = x + column,
                PanelStride = shape.Inputs2,
                Result = state + column,
                ResultStride = shape.Inputs2,
                Width = Math.Min(PanelProduct.Width, shape.Inputs2 - column),
            });
        }
    }

    /// <summary>Floats from one i_1 to the next in rebuilt columns: one panel row more than they take, so that neighbours do not meet in one set of the cache.</summary>
    private static nint RebuiltStride(TwoSiteShape shape) => ((nint)shape.Inputs2 + 1) * PanelProduct.Width;

    /// <summary>Units (o_1, slice): sixteen columns of W^T, [(i_1, i_2), o_2] = sum over r of A[o_1, r, i_1] B[r, i_2, o_2], then their product with all tokens.</summary>
    private static void Rebuild(nint start, nint end, in Operands on, float* state)
    {
        TwoSiteShape shape = on.Shape;
        nint stride = RebuiltStride(shape);
        float* bonds = state + shape.Inputs1 * stride;
        for (nint unit = start; unit < end; unit++)
        {
            (nint output, nint sliceIndex) = Math.DivRem(unit, shape.Slices);
            int slice = (int)sliceIndex, width = shape.SliceWidth(slice);
            float* panel = on.Second.Pointer + shape.SliceStart(slice);
            for (int first = 0; first < shape.Inputs2; first += GatheredInputs)
            {
                int count = Math.Min(GatheredInputs, shape.Inputs2 - first);
                Gather(panel + (nint)first * width, (nint)shape.Inputs2 * width, shape.Bond, count, width, bonds);
                for (int i = 0; i < count; i++)
                {
                    PanelProduct.Multiply(new PanelOperands
                    {
                        A = on.First.Pointer + output * shape.FirstStride,
                        RowStride = 1,
                        DepthStride = shape.Inputs1,
                        Rows = shape.Inputs1,
                        Depth = shape.Bond,
                        Panel = bonds + (nint)i * shape.Bond * width,
                        PanelStride = width,
                        Result = state + (nint)(first + i) * PanelProduct.Width,
                        ResultStride = stride,
                        Width = width,
                    });
                }
            }

            for (int i = 0; i < shape.Inputs1; i++)
            {
                PanelProduct.Multiply(new PanelOperands
                {
                    A = on.Input.Pointer + (nint)i * shape.Inputs2,
                    RowStride = on.Input.Stride,
                    DepthStride = 1,
                    Rows = on.Input.Rows,
                    Depth = shape.Inputs2,
                    Panel = state + i * stride,
                    PanelStride = PanelProduct.Width,
                    Result = on.Result.Pointer + output * shape.Outputs2 + slice * PanelProduct.Width,
                    ResultStride = on.Result.Stride,
                    Width = width,
                    Accumulate = i > 0,
                });
            }
        }
    }

    /// <summary>[r, i_2, o_2] of a panel, some i_2 of it, as [i_2][r, o_2].</summary>
    private static void Gather(float* panel, nint bondStride, int bond, int count, int width, float* destination)
    {
        for (nint r = 0; r < bond; r++)
        {
            for (int i = 0; i < count; i++)
                new ReadOnlySpan<float>(panel + r * bondStride + i * width, width).CopyTo(new Span<float>(destination + ((nint)i * bond + r) * width, width));
        }
    }
}
