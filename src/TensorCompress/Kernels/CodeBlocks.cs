using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Weight codes of 4 or 8 bits as integer products read them. Sixteen rows are a block (rows that are missing at the end are padding); a block is a sequence of groups of columns;
/// a group is a header, 16 scales and 16 zeros (16-bit integers; zero - 128 for 8-bit codes), padded to whole cache lines, and a step for every 32 columns.
/// A step is [quad of columns][row][column of the quad]: 8-bit codes in 8 x 64 bytes, 4-bit codes in 4 x 64 bytes with quad j in the lower and quad j + 4 in the upper halves.
/// weight = scale (code - zero). Columns that are missing at the end of the last step may hold any code; their activations are 0.
/// </summary>
/// <param name="Rows">Rows of W.</param>
/// <param name="Columns">Columns of W.</param>
/// <param name="Bits">4 or 8.</param>
/// <param name="Group">Columns that share a scale: a multiple of 32, or at least all columns.</param>
/// <param name="HasWideScales">Whether scales are F32; otherwise F16.</param>
internal sealed record CodeBlocks(int Rows, int Columns, int Bits, int Group, bool HasWideScales) : IDisposable
{
    public const int BlockRows = 16, StepColumns = 32, QuadBytes = 64;

    private Matrix<byte>? _bytes;

    public int Blocks => (Rows - 1) / BlockRows + 1;

    public int Steps => (Columns - 1) / StepColumns + 1;

    public int StepsPerGroup => Math.Min(Steps, (Group - 1) / StepColumns + 1);

    public int Groups => (Steps - 1) / StepsPerGroup + 1;

    public int ZerosOffset => BlockRows * (HasWideScales ? sizeof(float) : sizeof(short));

    public int HeaderBytes => HasWideScales ? 128 : 64;

    public int StepBytes => BlockRows * StepColumns / 8 * Bits;

    public nint BlockBytes => (nint)Groups * HeaderBytes + (nint)Steps * StepBytes;

    /// <summary>Bytes of all blocks.</summary>
    public long ByteLength => (long)Blocks * BlockBytes;

    /// <summary>[blocks, bytes of a block], zero at first.</summary>
    public Matrix<byte> Bytes => _bytes ??= new Matrix<byte>(Blocks, BlockBytes);

    /// <summary>Whether a group can be laid out so.</summary>
    public static bool Fits(int columns, int group) => group % StepColumns == 0 || group >= columns;

    /// <summary>The place of a group's header in its block; the steps follow it.</summary>
    public nint GroupOffset(int group) => (nint)group * (HeaderBytes + (nint)StepsPerGroup * StepBytes);

    /// <summary>The place of a code in its block, and whether it is in the upper half of its byte.</summary>
    public (nint Byte, bool IsUpper) CodePlace(int rowInBlock, int column)
    {
        int step = column / StepColumns, inStep = column % StepColumns, quad = inStep / 4, group = step / StepsPerGroup;
        bool isUpper = Bits == 4 && quad >= 4;
        nint offset = GroupOffset(group) + HeaderBytes + (nint)(step % StepsPerGroup) * StepBytes;
        return (offset + (isUpper ? quad - 4 : quad) * QuadBytes + 4 * rowInBlock + inStep % 4, isUpper);
    }

    public void Dispose() => _bytes?.Dispose();
}
