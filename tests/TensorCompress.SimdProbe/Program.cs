using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using TensorCompress.Kernels.Simd;
using TensorCompress.SimdProbe;

// One line per fact, "name=value": what this process multiplies with, and what its kernels make of fixed inputs.
Console.WriteLine($"active={SimdLevel.Active}");
Console.WriteLine($"hardware={SimdLevel.Hardware}");
Console.WriteLine($"avx512={Avx512F.IsSupported}");
Console.WriteLine($"avx512v2={Avx512Vbmi.IsSupported}");
Console.WriteLine($"avxvnni={AvxVnni.IsSupported}");
Console.WriteLine($"avx2={Avx2.IsSupported}");
Console.WriteLine($"fma={Fma.IsSupported || AdvSimd.IsSupported}");
Console.WriteLine($"sse42={Sse42.IsSupported}");
foreach ((string name, string hash, double sum) in KernelChecksums.All()) Console.WriteLine(FormattableString.Invariant($"kernel.{name}={hash} {sum:R}"));
foreach ((string name, string hash) in QetChecksums.All()) Console.WriteLine($"bytes.{name}={hash}");
