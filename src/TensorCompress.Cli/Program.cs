Console.WriteLine("tensorcompress");
