using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace TensorCompress.Threading;

/// <summary>The loop of a pool, used again for every call: threads claim ranges of it until none is left.</summary>
/// <remarks>
/// Everything turns on one 64-bit ticket, (number of the loop, grains left to claim). The fields that describe a loop change only while no grain is left and none is running,
/// so a successful exchange of the ticket proves that the fields read before it were those of the claimed loop. Claims get smaller as the loop goes on, so that threads
/// end together without many claims.
/// </remarks>
internal sealed class SharedLoop(int threads)
{
    private readonly object _gate = new();
    private Lines _lines;
    private LoopBody? _body;
    private nint _count;
    private nint _grain;
    private uint _grains;
    private Exception? _failure;
    private bool _ownerWaits;

    /// <summary>The largest number of ranges into which the open loop can fall.</summary>
    public nint Ranges => (nint)_grains;

    /// <summary>Whether there is something to claim.</summary>
    public bool HasWork => (uint)Volatile.Read(ref _lines.Ticket) != 0;

    /// <summary>Offers a loop to all threads. One owner at a time.</summary>
    public void Open(nint count, nint grain, LoopBody body)
    {
        while ((count - 1) / grain >= int.MaxValue) grain *= 2;
        _count = count;
        _grain = grain;
        _grains = (uint)((count - 1) / grain + 1);
        _body = body;
        _failure = null;
        _lines.Done = 0;
        long number = (_lines.Ticket >> 32) + 1;
        Interlocked.Exchange(ref _lines.Ticket, (number << 32) | _grains); // a full fence: the owner looks for parked threads next
    }

    /// <summary>Claims and runs ranges until none is left.</summary>
    /// <returns>Whether there was anything to do.</returns>
    public bool Participate()
    {
        uint done = 0;
        while (true)
        {
            long ticket = Volatile.Read(ref _lines.Ticket);
            uint left = (uint)ticket;
            if (left == 0) break;
            (nint count, nint grain, uint grains, LoopBody? body) = (_count, _grain, _grains, _body);
            uint taken = Math.Max(1, left / (2 * (uint)threads));
            if (Interlocked.CompareExchange(ref _lines.Ticket, ticket - taken, ticket) != ticket) continue;
            nint start = (nint)(grains - left) * grain;
            try
            {
                body!.Run(start, nint.Min(start + (nint)taken * grain, count));
            }
            catch (Exception failure) // carried to the owner's thread, which rethrows it
            {
                Interlocked.CompareExchange(ref _failure, failure, null);
                taken += ClaimRest();
            }

            done += taken;
        }

        if (done == 0) return false;
        Interlocked.Add(ref _lines.Done, done);
        if (Volatile.Read(ref _ownerWaits)) WakeOwner(); // perhaps that of a later loop, which looks again
        return true;
    }

    /// <summary>Waits until every claimed range has been run.</summary>
    /// <exception cref="Exception">The first that a body threw.</exception>
    public void Close()
    {
        if (!IsDone && !Spinning.Until(this, static loop => loop.IsDone)) Park();
        _body = null;
        if (_failure is { } failure)
        {
            _failure = null;
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    private bool IsDone => Volatile.Read(ref _lines.Done) == _grains;

    // The rest of a failed loop counts as done. This thread has not reported its own range, so the ticket is still that of its loop.
    private uint ClaimRest()
    {
        long ticket = Volatile.Read(ref _lines.Ticket);
        while (true)
        {
            long before = Interlocked.CompareExchange(ref _lines.Ticket, ticket & ~(long)uint.MaxValue, ticket);
            if (before == ticket) return (uint)ticket;
            ticket = before;
        }
    }

    private void Park()
    {
        lock (_gate)
        {
            _ownerWaits = true;
            Interlocked.MemoryBarrier(); // announce, then look: whoever finishes last reports, then looks for the announcement
            while (!IsDone) Monitor.Wait(_gate);
            _ownerWaits = false;
        }
    }

    private void WakeOwner()
    {
        lock (_gate) Monitor.PulseAll(_gate);
    }

    /// <summary>The two words that all threads write, each in cache lines of its own (two, because processors fetch lines in pairs).</summary>
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Lines
    {
        [FieldOffset(128)]
        public long Ticket;

        [FieldOffset(256)]
        public long Done;
    }
}
