using System.Runtime.InteropServices;

namespace TensorCompress.Cli.Terminal;

/// <summary>Turns the first Ctrl-C (or a polite request to end) into a cancellation, so that a job can leave things tidy; the second one ends the process at once.</summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    public Interruption()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
        ];
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
        _source.Dispose();
    }

    /// <summary>Begins something that the next signal ends alone, instead of the run.</summary>
    public static Reply BeginReply(CancellationToken run) => new(run);

    private void OnSignal(PosixSignalContext context)
    {
        if (context.Signal == PosixSignal.SIGINT && Reply.TryCancel())
        {
            context.Cancel = true;
            return;
        }

        if (_source.IsCancellationRequested) return; // the system's own answer: the process ends
        context.Cancel = true;
        _source.Cancel();
    }

    /// <summary>A reply of a chat: the first Ctrl-C while it lasts ends it, a second one the run.</summary>
    public sealed class Reply : IDisposable
    {
        private static readonly Lock Gate = new();
        private static Reply? _current;

        private readonly CancellationTokenSource _source;

        public Reply(CancellationToken run)
        {
            _source = CancellationTokenSource.CreateLinkedTokenSource(run);
            lock (Gate) _current = this;
        }

        /// <summary>Cancelled by the signal, and with the run.</summary>
        public CancellationToken Token => _source.Token;

        public static bool TryCancel()
        {
            lock (Gate)
            {
                if (_current is null || _current._source.IsCancellationRequested) return false;
                _current._source.Cancel();
                return true;
            }
        }

        public void Dispose()
        {
            lock (Gate) _current = null;
            _source.Dispose();
        }
    }
}
