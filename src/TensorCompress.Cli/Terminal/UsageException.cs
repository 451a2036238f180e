namespace TensorCompress.Cli.Terminal;

/// <summary>The command line asks for something that cannot be; the message says what and what would be possible.</summary>
internal sealed class UsageException(string message) : Exception(message);
