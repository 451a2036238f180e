using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Contraction;

/// <summary>A row of scratch memory for every thread of a loop: a range takes a free one and gives it back.</summary>
/// <param name="rows">[threads, floats].</param>
internal sealed class ScratchSlots(MatrixView<float> rows)
{
    private readonly int[] _taken = new int[rows.Rows];

    /// <summary>The index of a row that no other thread has.</summary>
    public int Take()
    {
        while (true)
        {
            for (int slot = 0; slot < _taken.Length; slot++)
            {
                if (Interlocked.CompareExchange(ref _taken[slot], 1, 0) == 0) return slot;
            }
        }
    }

    /// <summary>The memory of a row.</summary>
    public unsafe float* Pointer(int slot) => rows.Pointer + slot * rows.Stride;

    /// <inheritdoc cref="Pointer"/>
    public Span<float> Row(int slot) => rows.Row(slot);

    public void Return(int slot) => Volatile.Write(ref _taken[slot], 0);
}
